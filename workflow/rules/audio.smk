"""Download, prepare, separate and augment the recordings.

Needs    the config's block `datasets`, or a folder of recordings
Makes    resources/downloads/recordings/<dataset>/<machine>/, results/audio/raw/…, results/audio/noise/…, results/audio/separated/…,
         results/audio/augmented/… and results/separators/<separator>/<dataset>/<machine>/model.safetensors
"""


# Download, verify and unpack a machine's recordings, or synthesise them.
rule download:
    input:
        lambda w: inputs.room_for(
            paths.recordings(w.dataset, w.machine),
            paths.own_recordings(w.dataset, w.machine),
        ),
    output:
        directory(paths.recordings()),
    log:
        paths.log("download", "{dataset}", "{machine}"),
    benchmark:
        paths.benchmark("download", "{dataset}", "{machine}")
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
        pins=lambda w, output: paths.PINS,
        settings=lambda w: settings.download(graph, w.dataset),
        code=lambda w: stage_code.of_download(graph, w.dataset),
    shell:
        'python -P "$ASDLIB/workflow/scripts/download.py"'
        " --machine {wildcards.machine} --folder {output} --settings {params.settings:q}"
        ' --network {params.network:q} --lock "$ASDLIB/{params.pins}" --log {log}'


# Check a machine's recordings and store them as clips of one length, one row per clip.
rule prepare:
    input:
        lambda w: inputs.fetched_recordings(graph, w.dataset, w.machine),
    output:
        paths.audio(RAW),
    log:
        paths.log("prepare", "{dataset}", "{machine}"),
    benchmark:
        paths.benchmark("prepare", "{dataset}", "{machine}")
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: settings.prepare(graph, w.dataset, w.machine),
        # A function of the input re-runs nothing: unchanged recordings may be moved.
        recordings=lambda w, input: graph.all_datasets[w.dataset].recordings(w.machine),
        code=stage_code.of_step("prepare"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/prepare.py"'
        " --recordings {params.recordings:q} --dataset {wildcards.dataset}"
        " --machine {wildcards.machine} --out {output} --settings {params.settings:q} --log {log}"


# Check a dataset's noise pool and store it as pieces of one length.
rule prepare_noise:
    output:
        paths.noise(),
    log:
        paths.log("prepare_noise", "{dataset}"),
    benchmark:
        paths.benchmark("prepare_noise", "{dataset}")
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: settings.prepare_noise(graph, w.dataset),
        # A function of the input re-runs nothing: unchanged recordings may be moved.
        recordings=lambda w, input: graph.all_datasets[w.dataset].noise_pool,
        code=stage_code.of_step("prepare_noise"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/prepare_noise.py"'
        " --recordings {params.recordings:q} --dataset {wildcards.dataset} --out {output}"
        " --settings {params.settings:q} --log {log}"


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
    benchmark:
        paths.benchmark("train_separator", "{separator}", "{dataset}", "{machine}")
    conda:
        "../../envs/asdlib.yaml"
    threads: lambda w: graph.config["threads"] * graph.devices("separators", w.separator)
    resources:
        gpu=lambda w: graph.gpus * graph.devices("separators", w.separator),
        mem_mb=lambda w, attempt: 16000 * attempt,
        runtime=lambda w, attempt: 480 * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        settings=lambda w: graph.recipe("separators", w.separator).settings,
        code=lambda w: stage_code.of_recipe(
            "train_separator", graph.recipe("separators", w.separator)
        ),
    shell:
        'python -P "$ASDLIB/workflow/scripts/train_separator.py"'
        " --audio {input.audio} --noise {input.noise} --out {output.model} --history {output.history}"
        " --settings {params.settings:q} --code {params.code} --device {params.device} --gpus {resources.gpu}"
        " --threads {params.threads} --log {log}"


# Separate every clip of a machine with its separator.
rule separate:
    input:
        audio=paths.audio(RAW),
        separator=paths.separator(),
    output:
        paths.audio("separated/{separator}"),
    log:
        paths.log("separate", "{separator}", "{dataset}", "{machine}"),
    benchmark:
        paths.benchmark("separate", "{separator}", "{dataset}", "{machine}")
    conda:
        "../../envs/asdlib.yaml"
    threads: graph.config["threads"]
    resources:
        gpu=graph.gpus,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 120 * attempt,
    params:
        # Not {threads}, which depends on --cores: the number of threads changes the last digits of a sum.
        threads=graph.config["threads"],
        device=lambda w, input: graph.config["device"],
        settings=lambda w: graph.recipe("separators", w.separator).settings,
        code=lambda w: stage_code.of_recipe(
            "separate", graph.recipe("separators", w.separator)
        ),
    shell:
        'python -P "$ASDLIB/workflow/scripts/separate.py"'
        " --audio {input.audio} --separator {input.separator} --out {output}"
        " --device {params.device} --gpus {resources.gpu} --threads {params.threads} --log {log}"


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
    benchmark:
        paths.benchmark("augment", "{augmentation}", "{dataset}", "{machine}")
    conda:
        "../../envs/asdlib.yaml"
    threads: 2
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: graph.recipe("augmentations", w.augmentation).settings,
        code=lambda w: stage_code.of_recipe(
            "augment", graph.recipe("augmentations", w.augmentation)
        ),
    shell:
        'python -P "$ASDLIB/workflow/scripts/augment.py"'
        " --raw {input.raw} --separated {input.separated} --noise {input.noise} --out {output}"
        " --settings {params.settings:q} --log {log}"
