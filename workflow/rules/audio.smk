"""From archives or a folder of recordings to the audio that everything reads.

Needs    the dataset's block of the config
Makes    resources/<dataset>/<machine>/, results/audio/raw/…, results/audio/separated/…, results/audio/augmented/…
         and results/separators/<separator>/<dataset>/<machine>/model.safetensors
"""


# Fetch a machine's archives (or make its recordings), verify and unpack them.
rule download:
    output:
        directory("resources/{dataset}/{machine}"),
    log:
        "results/logs/download/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/download/{dataset}/{machine}.tsv"
    wildcard_constraints:
        dataset=one_of(graph.fetched()),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        network=lambda w, output: graph.config["download"],
        settings=lambda w: graph.download_settings(w.dataset),
        code=lambda w: graph.source_code(w.dataset),
    shell:
        'python -P "$ASDLIB/workflow/scripts/download.py"'
        " --machine {wildcards.machine} --folder {output} --settings {params.settings:q}"
        ' --network {params.network:q} --lock "$ASDLIB/resources/zenodo.lock.json" --log {log}'


# Check the recordings and store them as 10 s clips, one row a clip.
rule prepare:
    input:
        lambda w: graph.fetched_recordings(w.dataset, w.machine),
    output:
        "results/audio/raw/{dataset}/{machine}.parquet",
    log:
        "results/logs/prepare/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/prepare/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: graph.prepare_settings(w.dataset, w.machine),
        # A function of the input counts as derived: moving unchanged recordings elsewhere re-runs nothing.
        recordings=lambda w, input: graph.all_datasets[w.dataset].recordings(w.machine),
        code=graph.code("prepare"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/prepare.py"'
        " --recordings {params.recordings:q} --dataset {wildcards.dataset}"
        " --machine {wildcards.machine} --out {output} --settings {params.settings:q} --log {log}"


# Check a dataset's background noise and store it in pieces of one length.
rule prepare_noise:
    output:
        "results/audio/noise/{dataset}.parquet",
    log:
        "results/logs/prepare_noise/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_noise/{dataset}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: graph.noise_settings(w.dataset),
        # A function of the input counts as derived: moving unchanged recordings elsewhere re-runs nothing.
        recordings=lambda w, input: graph.all_datasets[w.dataset].noise_pool,
        code=graph.code("prepare_noise"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/prepare_noise.py"'
        " --recordings {params.recordings:q} --dataset {wildcards.dataset} --out {output}"
        " --settings {params.settings:q} --log {log}"


# Train a network that takes a machine's sound out of a mixture with noise.
rule train_separator:
    input:
        audio="results/audio/raw/{dataset}/{machine}.parquet",
        noise=lambda w: graph.noise_of(w.dataset, w.machine),
    output:
        model="results/separators/{separator}/{dataset}/{machine}/model.safetensors",
        history=report(
            "results/separators/{separator}/{dataset}/{machine}/metrics.csv",
            caption="../report/separation.rst",
            category="Separation",
            labels={
                "recipe": "{separator}",
                "dataset": "{dataset}",
                "machine": "{machine}",
            },
        ),
    log:
        "results/logs/train_separator/{separator}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/train_separator/{separator}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    threads: lambda w: graph.config["threads"] * graph.devices("separators", w.separator)
    resources:
        gpu=lambda w: graph.gpus * graph.devices("separators", w.separator),
        mem_mb=lambda w, attempt: 16000 * attempt,
        runtime=lambda w, attempt: 480 * attempt,
    params:
        # Not {threads}, which follows --cores: how sums are split decides their last digits.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        settings=lambda w: graph.recipe("separators", w.separator).settings,
        code=lambda w: graph.recipe_code("train_separator", "separators", w.separator),
    shell:
        'python -P "$ASDLIB/workflow/scripts/train_separator.py"'
        " --audio {input.audio} --noise {input.noise} --out {output.model} --history {output.history}"
        " --settings {params.settings:q} --code {params.code} --device {params.device} --gpus {resources.gpu}"
        " --threads {params.threads} --log {log}"


# Run every clip of a machine through its separator.
rule separate:
    input:
        audio="results/audio/raw/{dataset}/{machine}.parquet",
        separator="results/separators/{separator}/{dataset}/{machine}/model.safetensors",
    output:
        "results/audio/separated/{separator}/{dataset}/{machine}.parquet",
    log:
        "results/logs/separate/{separator}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/separate/{separator}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    threads: graph.config["threads"]
    resources:
        gpu=graph.gpus,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 120 * attempt,
    params:
        # Not {threads}, which follows --cores: how sums are split decides their last digits.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        settings=lambda w: graph.recipe("separators", w.separator).settings,
        code=lambda w: graph.recipe_code("separate", "separators", w.separator),
    shell:
        'python -P "$ASDLIB/workflow/scripts/separate.py"'
        " --audio {input.audio} --separator {input.separator} --out {output}"
        " --device {params.device} --gpus {resources.gpu} --threads {params.threads} --log {log}"


# Make additional clips from recorded and separated ones.
rule augment:
    input:
        raw="results/audio/raw/{dataset}/{machine}.parquet",
        separated=lambda w: graph.separated_for(w.augmentation, w.dataset, w.machine),
        noise=lambda w: graph.noise_for(w.augmentation, w.dataset, w.machine),
    output:
        "results/audio/augmented/{augmentation}/{dataset}/{machine}.parquet",
    log:
        "results/logs/augment/{augmentation}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/augment/{augmentation}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    threads: 2
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: graph.recipe("augmentations", w.augmentation).settings,
        code=lambda w: graph.recipe_code("augment", "augmentations", w.augmentation),
    shell:
        'python -P "$ASDLIB/workflow/scripts/augment.py"'
        " --raw {input.raw} --separated {input.separated} --noise {input.noise} --out {output}"
        " --settings {params.settings:q} --log {log}"
