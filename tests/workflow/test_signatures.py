"""The signatures of the functions in the rules, kept where `inspect` looks first."""

import inspect
from types import SimpleNamespace

from snakemake.io import AnnotatedString

from asdlib.workflow import signatures


def test_the_functions_of_a_rule_keep_their_signatures():
    def files(wildcards):
        return wildcards

    def arguments(wildcards, output):
        return wildcards, output

    rule = SimpleNamespace(input=[AnnotatedString(files), "clips"], params=[arguments, "text", 4])
    signatures.keep([rule])
    assert list(files.__signature__.parameters) == ["wildcards"]
    assert inspect.signature(files) is files.__signature__
    assert list(inspect.signature(arguments).parameters) == ["wildcards", "output"]
    assert inspect.signature(arguments) is arguments.__signature__
