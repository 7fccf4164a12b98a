"""From features to trained models, and from models to embeddings.

Needs    results/features/<frontend>/<audio>/<dataset>/<machine>.parquet, the config's block `checkpoints`
Makes    results/models/<model>/<dataset>/<machine or all>/model.safetensors,
         resources/checkpoints/<name>/<file>, results/embeddings/<model>/<audio>/<dataset>/<machine>.parquet
"""


# Fetch public weights and verify them.
rule fetch_checkpoint:
    output:
        # update: a file that was put there by hand is not removed before the job, not even by --forceall.
        update("resources/checkpoints/{checkpoint}/{file}"),
    log:
        "results/logs/fetch_checkpoint/{checkpoint}/{file}.log",
    benchmark:
        "results/benchmarks/fetch_checkpoint/{checkpoint}/{file}.tsv"
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        # What has an output re-runs nothing: neither a pin nor the words of a licence make another file.
        network=lambda w, output: graph.config["download"],
        settings=lambda w, output: graph.config["checkpoints"][w.checkpoint],
        source=lambda w: public_source(graph.config["checkpoints"][w.checkpoint]),
        code=graph.code("fetch_checkpoint"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/fetch_checkpoint.py"'
        " --name {wildcards.checkpoint} --out {output} --settings {params.settings:q}"
        " --network {params.network:q} --log {log}"


# Train a model on one machine's clips, or on those of all machines (the place `all`).
rule train_model:
    input:
        features=lambda w: graph.training_features(w.model, w.dataset, w.place),
        init=lambda w: graph.init_checkpoint(w.model, w.dataset, w.place),
        public=lambda w: graph.public_weights(w.model),
    output:
        model="results/models/{model}/{dataset}/{place}/model.safetensors",
        history=report(
            "results/models/{model}/{dataset}/{place}/training.csv",
            caption="../report/training.rst",
            category="Trainings",
            labels={"recipe": "{model}", "dataset": "{dataset}", "machine": "{place}"},
        ),
    log:
        "results/logs/train_model/{model}/{dataset}/{place}.log",
    benchmark:
        "results/benchmarks/train_model/{model}/{dataset}/{place}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    threads: lambda w: graph.config["threads"] * graph.devices("models", w.model)
    resources:
        gpu=lambda w: graph.gpus * graph.devices("models", w.model),
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 480 * attempt,
    params:
        # Not {threads}, which follows --cores: how sums are split decides their last digits.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        scratch=lambda w, output: graph.config["scratch"]
        or os.path.dirname(output.model),
        settings=lambda w: graph.recipe("models", w.model).settings,
        # With an input it re-runs nothing: a pin makes no other weights.
        pins=lambda w, input: graph.public_pins(w.model),
        code=lambda w: graph.recipe_code("train_model", "models", w.model),
    shell:
        'python -P "$ASDLIB/workflow/scripts/train_model.py"'
        " --features {input.features} --init {input.init} --public {input.public} --pins {params.pins}"
        " --out {output.model} --history {output.history} --settings {params.settings:q} --code {params.code}"
        " --scratch {params.scratch:q}"
        " --device {params.device} --gpus {resources.gpu} --threads {params.threads} --log {log}"


# Represent every training and test clip of a machine by what the model makes of it.
rule embed:
    input:
        features=lambda w: graph.embedded_features(
            w.model, w.audio, w.dataset, w.machine
        ),
        model=lambda w: graph.checkpoint(
            graph.recipe("models", w.model), w.dataset, w.machine
        ),
    output:
        "results/embeddings/{model}/{audio}/{dataset}/{machine}.parquet",
    log:
        "results/logs/embed/{model}/{audio}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/embed/{model}/{audio}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    threads: graph.config["threads"]
    resources:
        gpu=graph.gpus,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        # Not {threads}, which follows --cores: how sums are split decides their last digits.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        settings=lambda w: graph.recipe("models", w.model).settings,
        code=lambda w: graph.recipe_code("embed", "models", w.model),
    shell:
        'python -P "$ASDLIB/workflow/scripts/embed.py"'
        " --features {input.features} --model {input.model} --out {output}"
        " --device {params.device} --gpus {resources.gpu} --threads {params.threads} --log {log}"
