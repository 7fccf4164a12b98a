"""Train models on features and compute embeddings with them; give training clips pseudo-labels.

Needs    results/features/<frontend>/<view>/<dataset>/<machine>.parquet, the config's block `checkpoints`
Makes    results/models/<model>/<dataset>/<machine or all>/model.safetensors,
         resources/downloads/checkpoints/<name>/<file>, results/embeddings/<model>/<view>/<dataset>/<machine>.parquet,
         results/labels/<labeller>/<dataset>/<machine>.parquet
"""


# Download and verify public weights.
rule fetch_checkpoint:
    input:
        lambda w: inputs.protect_users_files(
            paths.public_weights(w.checkpoint, w.file),
            paths.own_weights(w.checkpoint, w.file),
        ),
    output:
        # update: Snakemake does not remove the file before the job, which keeps the pinned one.
        update(paths.public_weights()),
    log:
        paths.log("fetch_checkpoint", "{checkpoint}", "{file}"),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("fetch_checkpoint", w, 1000, attempt),
        runtime=lambda w, attempt: 240 * attempt,
    params:
        # A function of the output re-runs nothing: a pin or the text of a licence does not change the file.
        settings=lambda w, output: as_json(
            settings.checkpoint(graph, w.checkpoint, w.file)
        ),
        source=lambda w: public_source(graph.config["checkpoints"][w.checkpoint]),
        code=stage_code.of_step("fetch_checkpoint"),
        arguments=lambda w, output: as_json(
            {
                "name": w.checkpoint,
                "out": output[0],
                "network": graph.config["download"],
                "lock": f"{workflow.basedir}/{paths.PINS}",
            }
        ),
    shell:
        command("fetch_checkpoint")


# Train a model on the clips of one machine, one section (machine `<machine>@<section>`), or all machines (`all`).
rule train_model:
    input:
        features=lambda w: inputs.training_features(
            graph, w.model, w.dataset, w.machine
        ),
        init=lambda w: inputs.init_weights(graph, w.model, w.dataset, w.machine),
        public=lambda w: inputs.public_weights(graph.recipe("models", w.model)),
        labels=lambda w: label_inputs.training_labels(
            graph, w.model, w.dataset, w.machine
        ),
    output:
        model=paths.model(),
        history=report(
            paths.model_history(),
            caption="../report/training.rst",
            category="Trainings",
            labels={
                "recipe": "{model}",
                "dataset": "{dataset}",
                "machine": "{machine}",
            },
        ),
    log:
        paths.log("train_model", "{model}", "{dataset}", "{machine}"),
    wildcard_constraints:
        machine=f"{NAME}(@[0-9][0-9])?",
    conda:
        "../../envs/asdlib.yaml"
    threads: lambda w: graph.config["threads"] * graph.devices("models", w.model)
    resources:
        gpu=lambda w: graph.gpus * graph.devices("models", w.model),
        # The features on top: in memory, or in the page cache, which SLURM counts as well.
        mem_mb=lambda w, input, attempt: memory.mb(
            "train_model", w, 8000, attempt, input
        ),
        runtime=lambda w, input, attempt: limits.minutes("train_model", w, input, 480)
        * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        settings=lambda w: as_json(graph.recipe("models", w.model).settings),
        code=lambda w: stage_code.of_recipe(
            "train_model", graph.recipe("models", w.model)
        ),
        arguments=lambda w, input, output, resources: as_json(
            {
                "features": input.features,
                "init": input.init,
                "public": input.public,
                # A pin does not change the weights.
                "pins": settings.public_pins(graph, graph.recipe("models", w.model)),
                "labels": input.labels,
                "section": paths.machine_and_section(w.machine)[1],
                "out": output.model,
                "history": output.history,
                "scratch": graph.config["scratch"] or os.path.dirname(output.model),
                "device": graph.config["device"],
                "gpus": resources.gpu,
                "threads": graph.config["threads"],
                "store_every": graph.config["store_every"],
            }
        ),
    shell:
        command("train_model")


# Group the training clips of a machine that have no attributes, by the embeddings of a frozen model.
rule label:
    input:
        lambda w: label_inputs.labelled_embeddings(
            graph, w.labeller, w.dataset, w.machine
        ),
    output:
        paths.labels(),
    log:
        paths.log("label", "{labeller}", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("label", w, 2000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(graph.recipe("labellers", w.labeller).settings),
        code=lambda w: stage_code.of_recipe(
            "label", graph.recipe("labellers", w.labeller)
        ),
        arguments=lambda w, input, output: as_json(
            {
                "embeddings": input[0],
                "dataset": w.dataset,
                "machine": w.machine,
                "out": output[0],
            }
        ),
    shell:
        command("label")


# Embed every training and test clip of a machine with its model, or with the models of its sections. A model that is
# not trained is built from its recipe, with the file of public weights if it names one.
rule embed:
    input:
        features=lambda w: inputs.embedded_features(
            graph, w.model, w.view, w.dataset, w.machine
        ),
        model=lambda w: inputs.embedded_with(
            graph, graph.recipe("models", w.model), w.dataset, w.machine
        ),
    output:
        paths.embeddings(),
    log:
        paths.log("embed", "{model}", "{view}", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    threads: graph.config["threads"]
    resources:
        gpu=lambda w: settings.gpus_to_embed(graph, w.model),
        # The features on top: in memory, or in the page cache, which SLURM counts as well.
        mem_mb=lambda w, input, attempt: memory.mb("embed", w, 4000, attempt, input),
        runtime=lambda w, input, attempt: limits.minutes("embed", w, input, 60)
        * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        settings=lambda w: as_json(graph.recipe("models", w.model).settings),
        code=lambda w: stage_code.of_recipe("embed", graph.recipe("models", w.model)),
        arguments=lambda w, input, output, resources: as_json(
            {
                "features": input.features,
                "model": (
                    input.model[0] if graph.recipe("models", w.model).trained else None
                ),
                "frozen": settings.frozen(graph, graph.recipe("models", w.model)),
                "sections": inputs.section_models(
                    graph, graph.recipe("models", w.model), w.dataset, w.machine
                ),
                "out": output[0],
                "device": graph.config["device"],
                "gpus": resources.gpu,
                "threads": graph.config["threads"],
            }
        ),
    shell:
        command("embed")
