"""The paths of all files below `results/` and `resources/`; no other module spells them.

The default of each argument is a Snakemake wildcard: `audio("raw")` is the output pattern of a rule, and
`audio("raw", "demo", "fan")` is one of its files. Paths are relative to the working directory.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from asdlib.workflow.words import RAW

RESULTS = "results"
DOWNLOADS = "resources/downloads"
REPORT = "results/report.html"
LOGS = "results/logs/"
SUBMISSION = "results/submission/task2"
SUBMISSION_ARCHIVE = f"{SUBMISSION}.zip"
TRAIN_PART = "/train"  # in the path of a table of features: of training clips alone
COSTS = "resources/costs.yaml"
MEMORY = "resources/memory.yaml"
PINS = "resources/zenodo.lock.json"
# The files that `score` writes for a section: {prefix of the name: suffix of the name}.
SCORED = {"anomaly_score": "test.csv", "decision_result": "test.csv", "training_score": "train.json"}
# Names that no system may have, because its results are in results/<name>/; those of registries are reserved.
TAKEN = frozenset(
    {"audio", "augmentations", "backends", "benchmarks", "embeddings", "features", "frontends", "labellers", "labels",
     "logs", "models", "report", "separators", "submission"}
)  # fmt: skip


def folders(systems: Iterable[str]) -> list[str]:
    """Return the folders in which the workflow makes files and whose names are fixed, the outer before the inner."""
    patterns = (recordings(), public_weights(), noise(), audio(RAW), features(), separator(), model(), embeddings(),
                labels())  # fmt: skip
    files = (*patterns, log("{rule}"), benchmark("{rule}"), SUBMISSION, *map(scores, systems))
    found = {str(folder) for file in files for folder in PurePosixPath(file).parents if "{" not in str(folder)}
    return sorted(found - {"."})


# --- resources ------------------------------------------------------------------------------------------------------


def recordings(dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the folder into which `download` puts a machine's recordings."""
    return f"{DOWNLOADS}/recordings/{dataset}/{machine}"


def own_recordings(dataset: str, machine: str) -> str:
    """Return the folder in which users put a machine's recordings; no rule writes there."""
    return f"resources/{dataset}/{machine}"


def own_archives(dataset: str) -> str:
    """Return the folder in which users put a dataset's archives, `<record>/<file>`; no rule writes there."""
    return f"resources/{dataset}/archives"


def public_weights(checkpoint: str = "{checkpoint}", file: str = "{file}") -> str:
    """Return the file that `fetch_checkpoint` makes of public weights."""
    return f"{DOWNLOADS}/checkpoints/{checkpoint}/{file}"


def own_weights(checkpoint: str, file: str) -> str:
    """Return the file in which users put public weights; no rule writes there."""
    return f"resources/checkpoints/{checkpoint}/{file}"


def reported(system: str = "{system}") -> str:
    """Return the table of reported figures."""
    return f"resources/reported/{system}.csv"


# --- audio and features ---------------------------------------------------------------------------------------------


def audio(view: str = "{view}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the table of a machine's clips in one view: raw, far, separated/<name> or augmented/<name>."""
    return f"results/audio/{view}/{dataset}/{machine}.parquet"


def audio_folder(dataset: str) -> str:
    """Return the folder of a dataset's prepared clips."""
    return f"results/audio/{RAW}/{dataset}"


def noise(dataset: str = "{dataset}") -> str:
    """Return the table of a dataset's noise pool."""
    return f"results/audio/noise/{dataset}.parquet"


def features(
    frontend: str = "{frontend}",
    view: str = "{view}",
    dataset: str = "{dataset}",
    machine: str = "{machine}",
    part: str = "{part}",
) -> str:
    """Return the table of a machine's features; `part` is empty, or TRAIN_PART for those of training clips alone."""
    return f"results/features/{frontend}/{view}{part}/{dataset}/{machine}.parquet"


def parse_features(path: str) -> tuple[str, str, str] | None:
    """Return (view, dataset, machine) of a path that `features` returned; None for any other path."""
    parts = PurePosixPath(path).parts
    if parts[:2] != ("results", "features"):
        return None
    *view, dataset, file = parts[3:]
    return "/".join(view).removesuffix(TRAIN_PART), dataset, file.removesuffix(".parquet")


# --- trained networks -----------------------------------------------------------------------------------------------


def separator(key: str = "{separator}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the weights of a machine's separator."""
    return f"results/separators/{key}/{dataset}/{machine}/model.safetensors"


def separator_history(key: str = "{separator}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the log of a separator's training, one row per epoch."""
    return f"results/separators/{key}/{dataset}/{machine}/metrics.csv"


def of_section(machine: str, section: str) -> str:
    """Return what stands for the machine in the paths of a model of one section; no machine has an `@` in its name."""
    return f"{machine}@{section}"


def machine_and_section(trained: str) -> tuple[str, str | None]:
    """Return the machine, and the section if there is one, of what stands for the machine in the path of a model."""
    machine, _, section = trained.partition("@")
    return machine, section or None


def model(key: str = "{model}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the weights of a model; the machine of a joint model is `all`, of one section that of `of_section`."""
    return f"results/models/{key}/{dataset}/{machine}/model.safetensors"


def model_history(key: str = "{model}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the log of a model's training, one row per epoch."""
    return f"results/models/{key}/{dataset}/{machine}/training.csv"


def embeddings(
    key: str = "{model}", view: str = "{view}", dataset: str = "{dataset}", machine: str = "{machine}"
) -> str:
    """Return the table of a machine's embeddings."""
    return f"results/embeddings/{key}/{view}/{dataset}/{machine}.parquet"


def labels(key: str = "{labeller}", dataset: str = "{dataset}", machine: str = "{machine}") -> str:
    """Return the table of the pseudo-labels of a machine's training clips."""
    return f"results/labels/{key}/{dataset}/{machine}.parquet"


# --- scores and pages -----------------------------------------------------------------------------------------------


def score_folder(
    system: str = "{system}", variant: str = "{variant}", dataset: str = "{dataset}", seeded: str = "{seeded}"
) -> str:
    """Return the folder of a variant's scores; `seeded` is empty, or `/seed_<n>` if there are several seeds."""
    return f"results/{system}/{variant}/{dataset}{seeded}"


def scored(prefix: str, folder: str | None = None, machine: str = "{machine}", section: str = "{section}") -> str:
    """Return one of the files that `score` writes for a section; `prefix` is a key of `SCORED`."""
    return f"{folder or score_folder()}/{prefix}_{machine}_section_{section}_{SCORED[prefix]}"


def scores(system: str = "{system}") -> str:
    """Return a system's table of figures."""
    return f"results/{system}/scores.csv"


def clips(system: str = "{system}") -> str:
    """Return a system's table of scored clips."""
    return f"results/{system}/clips.csv"


def files(system: str = "{system}") -> str:
    """Return a system's table of scored recordings, each of which may be several clips."""
    return f"results/{system}/files.csv"


def illustrations(system: str = "{system}", dataset: str = "{dataset}") -> str:
    """Return the file with a system's plots and sounds of the machines of a dataset, for the report."""
    return f"results/{system}/report/{dataset}.zip"


# --- records of jobs ------------------------------------------------------------------------------------------------


def log(rule: str, *wildcards: str) -> str:
    """Return the log of a rule's jobs, for example `log("prepare", "{dataset}", "{machine}")`."""
    return f"{LOGS}{rule}/{'/'.join(wildcards) or rule}.log"


def benchmark(rule: str, *wildcards: str) -> str:
    """Return the record of the time and memory of a rule's jobs, which has the same wildcards as their log."""
    return record_of(log(rule, *wildcards))


def record_of(written: str) -> str:
    """Return the record of the job that has a log in `LOGS`."""
    return f"results/benchmarks/{written.removeprefix(LOGS).removesuffix('.log')}.tsv"
