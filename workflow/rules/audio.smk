"""Download, prepare, separate and augment the recordings.

Needs    the config's block `datasets`, or a folder of recordings
Makes    resources/downloads/recordings/<dataset>/<machine>/, results/audio/{raw,far,noise,separated,augmented}/… and
         results/separators/<separator>/<dataset>/<machine>/model.safetensors
"""


# Download, verify and unpack a machine's recordings, or synthesise them.
rule download:
    input:
        lambda w: inputs.protect_users_files(
            paths.recordings(w.dataset, w.machine),
            paths.own_recordings(w.dataset, w.machine),
        ),
    output:
        directory(paths.recordings()),
    log:
        paths.log("download", "{dataset}", "{machine}"),
    wildcard_constraints:
        dataset=one_of(graph.fetched()),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("download", w, 1000, attempt),
        runtime=lambda w, attempt: 240 * attempt,
    params:
        settings=lambda w: as_json(settings.download(graph, w.dataset)),
        code=lambda w: stage_code.of_download(graph, w.dataset),
        arguments=lambda w, output: as_json(
            {
                "machine": w.machine,
                "folder": output[0],
                "network": graph.config["download"],
                "lock": f"{workflow.basedir}/{paths.PINS}",
            }
        ),
    shell:
        command("download")


# Check a machine's recordings and store them as clips of one length, one row per clip.
rule prepare:
    input:
        lambda w: inputs.fetched_recordings(graph, w.dataset, w.machine),
    output:
        paths.audio(RAW),
    log:
        paths.log("prepare", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("prepare", w, 1000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(settings.prepare(graph, w.dataset, w.machine)),
        code=stage_code.of_step("prepare"),
        # `settings` has a fingerprint of the recordings: unchanged recordings may be moved.
        arguments=lambda w, output: as_json(
            {
                "recordings": graph.all_datasets[w.dataset].recordings(w.machine),
                "dataset": w.dataset,
                "machine": w.machine,
                "out": output[0],
            }
        ),
    shell:
        command("prepare")


# Store what the far microphone of a machine's recordings heard, as the same rows.
rule prepare_far:
    input:
        lambda w: inputs.fetched_recordings(graph, w.dataset, w.machine),
    output:
        paths.audio(FAR),
    log:
        paths.log("prepare_far", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("prepare_far", w, 1000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(settings.prepare(graph, w.dataset, w.machine, FAR)),
        code=stage_code.of_step("prepare_far"),
        # `settings` has a fingerprint of the recordings: unchanged recordings may be moved.
        arguments=lambda w, output: as_json(
            {
                "recordings": graph.all_datasets[w.dataset].recordings(w.machine),
                "dataset": w.dataset,
                "machine": w.machine,
                "out": output[0],
            }
        ),
    shell:
        command("prepare_far")


# Check a dataset's noise pool and store it as pieces of one length.
rule prepare_noise:
    output:
        paths.noise(),
    log:
        paths.log("prepare_noise", "{dataset}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("prepare_noise", w, 1000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(settings.prepare_noise(graph, w.dataset)),
        code=stage_code.of_step("prepare_noise"),
        # `settings` has a fingerprint of the recordings: unchanged recordings may be moved.
        arguments=lambda w, output: as_json(
            {
                "recordings": graph.all_datasets[w.dataset].noise_pool,
                "dataset": w.dataset,
                "out": output[0],
            }
        ),
    shell:
        command("prepare_noise")


# Train a network that extracts a machine's sound from a mixture with noise.
rule train_separator:
    input:
        audio=paths.audio(RAW),
        noise=lambda w: inputs.noise_for_separator(graph, w.dataset, w.machine),
    output:
        model=paths.separator(),
        history=report(
            paths.separator_history(),
            caption="../report/separation.rst",
            category="Separation",
            labels={
                "recipe": "{separator}",
                "dataset": "{dataset}",
                "machine": "{machine}",
            },
        ),
    log:
        paths.log("train_separator", "{separator}", "{dataset}", "{machine}"),
    wildcard_constraints:
        separator=one_of(graph.trained_keys("separators")),
    conda:
        "../../envs/asdlib.yaml"
    threads: lambda w: graph.config["threads"] * graph.devices("separators", w.separator)
    resources:
        gpu=lambda w: graph.gpus * graph.devices("separators", w.separator),
        mem_mb=lambda w, attempt: memory.mb("train_separator", w, 16000, attempt),
        runtime=lambda w, input, attempt: limits.minutes(
            "train_separator", w, input, 480
        )
        * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        settings=lambda w: as_json(graph.recipe("separators", w.separator).settings),
        code=lambda w: stage_code.of_recipe(
            "train_separator", graph.recipe("separators", w.separator)
        ),
        arguments=lambda w, input, output, resources: as_json(
            {
                "audio": input.audio,
                "noise": input.noise,
                "out": output.model,
                "history": output.history,
                "device": graph.config["device"],
                "gpus": resources.gpu,
                "threads": graph.config["threads"],
                "store_every": graph.config["store_every"],
            }
        ),
    shell:
        command("train_separator")


# Separate every clip of a machine with its separator.
rule separate:
    input:
        audio=paths.audio(RAW),
        separator=lambda w: inputs.separator_weights(
            graph, w.separator, w.dataset, w.machine
        ),
        far=lambda w: inputs.far_recordings(graph, w.separator, w.dataset, w.machine),
    output:
        paths.audio("separated/{separator}"),
    log:
        paths.log("separate", "{separator}", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    threads: graph.config["threads"]
    resources:
        gpu=lambda w: graph.gpus * graph.recipe("separators", w.separator).trained,
        mem_mb=lambda w, attempt: memory.mb("separate", w, 4000, attempt),
        runtime=lambda w, input, attempt: limits.minutes("separate", w, input, 120)
        * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        settings=lambda w: as_json(graph.recipe("separators", w.separator).settings),
        code=lambda w: stage_code.of_recipe(
            "separate", graph.recipe("separators", w.separator)
        ),
        arguments=lambda w, input, output, resources: as_json(
            {
                "audio": input.audio,
                "separator": next(iter(input.separator), None),
                "far": next(iter(input.far), None),
                "out": output[0],
                "device": graph.config["device"],
                "gpus": resources.gpu,
                "threads": graph.config["threads"],
            }
        ),
    shell:
        command("separate")


# Make additional clips from recorded and separated ones.
rule augment:
    input:
        raw=paths.audio(RAW),
        separated=lambda w: inputs.separated_for(
            graph, w.augmentation, w.dataset, w.machine
        ),
        noise=lambda w: inputs.noise_for_augmentation(
            graph, w.augmentation, w.dataset, w.machine
        ),
    output:
        paths.audio("augmented/{augmentation}"),
    log:
        paths.log("augment", "{augmentation}", "{dataset}", "{machine}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("augment", w, 2000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(
            graph.recipe("augmentations", w.augmentation).settings
        ),
        code=lambda w: stage_code.of_recipe(
            "augment", graph.recipe("augmentations", w.augmentation)
        ),
        arguments=lambda w, input, output: as_json(
            {
                "raw": input.raw,
                "separated": input.separated,
                "noise": input.noise,
                "out": output[0],
            }
        ),
    shell:
        command("augment")
