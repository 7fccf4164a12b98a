"""Small jobs: numbers 1 and 7 fail once, number 4 needs more memory than it first asks for, and one has a GPU."""

import sys

sys.path.insert(0, f"{workflow.basedir}/src")

from asdlib.runtime import job_environment

job_environment.export(workflow.basedir)
if not workflow.is_main_process:
    job_environment.mark_slurm_job()


rule member:
    output:
        "tiny/{number}.txt",
    resources:
        mem_mb=lambda w, attempt: 400 * attempt,
    shell:
        "echo {wildcards.number} {resources.mem_mb} >> started;"
        " case {wildcards.number} in"
        " 1|7) mkdir failed_{wildcards.number} && exit 1;;"
        " 4) python -c \"import time; held = b'x' * (350 << 20); time.sleep(3)\";;"
        " esac;"
        " echo done > {output}"


rule with_gpu:
    output:
        "tiny/gpus.txt",
    resources:
        gpu=0,
        gres="gpu:1",
    shell:
        'python -c "from asdlib.runtime.gpu_leases import claim; print(claim({resources.gpu}))" > {output}'
