"""``python -m benchmarks.prove``: the long proofs, once; their figures are committed and checked for staleness.

Each proof names the sources it speaks of. Its digest is of their code alone - comments, docstrings and white space do
not count - so a proof goes stale exactly when something that could change its outcome changes. One that counts examples
may then be seen again with a tenth of them: ``--again``. What was seen stands beside the full count (docs/adr/0023).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import selvedge as sv
from selvedge.artifact import files

from . import again, programs
from .proofs_page import page

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "proofs.json"
PAGE = ROOT / "docs" / "proofs.md"
README = ROOT / "README.md"
ROAD = (
    "artifact", "capture", "choose", "device", "emitting", "ir", "make", "planning", "run", "changes.py", "errors.py"
)  # fmt: skip


@dataclass(frozen=True)
class Proof:
    """``run`` raises if the claim fails, and returns the figures to quote; or names under ``missed`` what of the claim
    fails where the rest is worth showing: it counts as failed, and is shown with what it missed.

    ``sources``: files and folders; ``without``: those within that it does not run, besides :data:`APART`.
    ``programs``: all that it runs of what the planner and the emitter make; then these count by their text, and not by
    the sources that made it. ``again``: makes a tenth of the rows again, of the committed figures and the digest that
    draws them.
    """

    run: Callable[[], dict[str, Any]]
    sources: tuple[str, ...]
    without: tuple[str, ...] = ()
    programs: Callable[[], Iterable[sv.Plan]] | None = None
    again: Callable[[Mapping[str, Any], str], again.Found] | None = None
    int8: bool = False

    def digest(self) -> str:
        found: list[Path] = []
        for source in self.sources:
            path = ROOT / source
            found += sorted(path.rglob("*")) if path.is_dir() else [path]
        digest = hashlib.sha256()
        for path in found:
            without = (*self.without, *(BESIDE if self.int8 else APART))
            left_out = any(path.is_relative_to(ROOT / one) for one in without)
            if path.suffix in (".py", ".c", ".h", ".toml") and not left_out:
                digest.update(f"{path.relative_to(ROOT)}\n{code(path)}\n".encode())
        for plan in self.programs() if self.programs else ():
            for name, text in programs.files(plan).items():
                digest.update(f"{name}\n{meant(text, Path(name).suffix)}\n".encode())
        return digest.hexdigest()


def code(path: Path) -> str:
    """The text of a source without what cannot change its meaning."""
    return meant(path.read_text(), path.suffix)


@cache
def meant(text: str, suffix: str) -> str:
    """``text``, of a file with that suffix, without what cannot change its meaning."""
    if suffix == ".py":
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                value = body[0].value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    body[0] = ast.Pass()
        return ast.dump(tree)
    if suffix in (".c", ".h"):
        return _c(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))
    return text


def _c(text: str) -> str:
    """White space made one blank; but the line of a directive ends where it ends."""
    said: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = " ".join(line.split())
        said.append(f"\n{words}\n" if words.startswith("#") else words)
    return re.sub(r" *\n+ *", "\n", " ".join(filter(None, said)))


def _pytest(test: str, examples: int, full: bool = True) -> dict[str, Any]:
    """A property test with so many examples; ``full``: and with all that CI has no time for."""
    return {"test": test, "examples": examples, "result": _tested((test,), examples, full)}


def _tested(tests: Sequence[str], examples: int, full: bool) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--timeout=3600", *tests],
        cwd=ROOT,
        env={**os.environ, "SELVEDGE_EXAMPLES": str(examples), "SELVEDGE_FULL": "1" if full else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    if done.returncode:
        raise AssertionError(f"{tests[0]}: {last}\n{done.stdout[-3000:]}")
    return re.sub(r" in [\d.]+s.*", "", last)


def _interpreted() -> dict[str, Any]:
    return _pytest("tests/capture/test_random_models.py", 400)


def _operators() -> dict[str, Any]:
    return _pytest("tests/capture/test_operator_database.py", 0)


def _native() -> dict[str, Any]:
    return _pytest("tests/make/test_random_models_native.py", 300)


def _parts() -> dict[str, Any]:
    return _pytest("tests/make/test_parts.py::test_parts_of_random_models_learn_as_in_pytorch_within_their_arena", 100)


def _changes() -> dict[str, Any]:
    return _pytest("tests/make/test_change.py::test_every_proposed_change_fits_when_applied", 300)


def _saved() -> dict[str, Any]:
    return _pytest("tests/make/test_trade.py", 300)


def _small_steps() -> dict[str, Any]:
    return _pytest("tests/planning/saving/test_descend.py", 300)


def _zoo() -> dict[str, Any]:
    return _pytest("tests/make/test_gradients.py", 1)


def _zoo_at_full_width() -> dict[str, Any]:
    return _pytest("tests/zoo/test_gradients.py", 1)


def _bytes() -> dict[str, Any]:
    return _pytest("tests/make/test_optimizer_bytes.py", 40)


def _state() -> dict[str, Any]:
    from .prove_state import prove

    return prove()


def _poet() -> dict[str, Any]:
    from .prove_poet import prove

    return prove()


def _lighter() -> dict[str, Any]:
    from .prove_lighter import prove

    return prove()


def _zoo_bounds() -> dict[str, Any]:
    from .prove_zoo import prove

    return prove()


def _memory() -> dict[str, Any]:
    from .prove_memory import prove

    return prove(PROOFS["memory of every zoo network, with peers"].digest())


def _channels() -> dict[str, Any]:
    return _pytest("tests/planning/test_channels.py::test_random_networks_learn_the_same", 300)


def _demo() -> dict[str, Any]:
    from .prove_demo import prove

    return prove()


def _auto() -> dict[str, Any]:
    from .prove_auto import prove

    return prove()


def _personal() -> dict[str, Any]:
    from .prove_personal import prove

    return prove(PROOFS["a character model's ten owners"].digest())


def _killed() -> dict[str, Any]:
    return _pytest("tests/learn/test_kill_live.py", 1000)


def _chaos() -> dict[str, Any]:
    return _pytest("tests/federate/test_chaos.py", 500)


def _masked() -> dict[str, Any]:
    from .prove_masking import prove

    return prove()


def _masked_machine() -> dict[str, Any]:
    return _pytest("tests/federate/masking/test_machine.py", 1000)


def _privacy() -> dict[str, Any]:
    from .prove_privacy import prove

    return prove(PROOFS["privacy, beside opacus and audited"].digest())


def _privacy_again(figures: Mapping[str, Any], digest: str) -> again.Found:
    from .prove_privacy import again

    return again(figures, digest)


def _int8() -> dict[str, Any]:
    return _pytest("tests/formats/tflite/test_zoo_native.py", 1)


def _quantised() -> dict[str, Any]:
    from .prove_quantise import prove

    return prove(PROOFS["quantised networks, five seeds"].digest())


_SRC = tuple(f"src/selvedge/{room}" for room in ROAD)
# What is said of a plan, many plans side by side, the timing of a device, and what is proposed where none fits: a plan
# that fits is made without.
_ELSEWHERE = tuple(
    f"src/selvedge/{name}.py"
    for name in (
        "changes", "make/attempts", "make/calibrate", "make/calibrate_fit", "make/calibrate_layers",
        "make/calibrate_program", "make/calibrate_report", "make/calibrate_run", "make/change", "make/daily",
        "make/rule", "make/show", "make/surface", "make/sweep", "make/table", "make/walk", "make/why",
    )
)  # fmt: skip
# Sparse networks, which only predict, what weighs whole networks, and other runtimes: no proof below has one.
BESIDE = (
    *(
        f"src/selvedge/{name}"
        for name in (
            "artifact/litert.py", "artifact/signature.py", "artifact/targets.py", "emitting/foreign.py",
            "emitting/litert", "ir/expand.py", "ir/expansions", "make/cut.py", "make/targets",
            "make/learnable_onnx.py", "make/verify.py", "make/verifying", "run/foreign", "run/saving.py",
            "ir/ops/sparse.py", "make/alone.py", "make/begun.py", "make/calibrate_sparse.py", "make/interleaved.py",
            "make/by_target.py",
            "make/measured_network.py", "make/repeated.py", "make/room.py", "make/searching", "make/sparse.py",
            "make/sparse_times.py", "make/store.py", "make/weighing", "planning/sparse.py",
            "planning/sparse_sizes.py",
        )
    ),
    *(f"native/sparse{name}.h" for name in ("", "_lanes", "_pixels")),
)  # fmt: skip
# And int8 networks: only proofs that say so have one. A test sees that a step of floats calls no function of these.
APART = (
    *BESIDE,
    *(
        f"src/selvedge/{name}"
        for name in (
            "capture/lower/quantised.py", "emitting/c/integer_calls.py", "ir/freeze.py", "ir/integer", "ir/joined.py",
            "ir/joining", "ir/ops/integer_convert.py", "ir/ops/integer_convolution.py",
            "ir/ops/integer_elementwise.py", "ir/ops/integer_pooling.py", "ir/ops/integer_softmax.py",
            "make/calibrate_int8.py", "make/captured_network.py", "make/compared.py", "make/inference.py",
            "make/network.py", "make/onnx.py", "planning/int8_scratch.py", "planning/integer.py",
        )
    ),
    *(f"native/int8{name}.h" for name in (
        "", "_avx2", "_bytes", "_conv", "_depthwise", "_elementwise", "_neon", "_pool", "_softmax", "_source", "_taps",
        "_tile",
    )),
)  # fmt: skip
_MASKING = (
    *(
        f"src/selvedge/federate/masking/{name}.py"
        for name in (
            "agreement", "checks", "covering", "demands", "group", "member", "memory", "ring", "sealed", "shares",
            "stream", "terms", "threshold", "wire",
        )
    ),
    "src/selvedge/federate/keys.py",
)  # fmt: skip
PROOFS: Mapping[str, Proof] = {
    "random models, interpreter": Proof(
        _interpreted,
        (
            "src/selvedge/ir",
            "src/selvedge/capture",
            "src/selvedge/artifact",
            "tests/models.py",
            "tests/capture/parity.py",
            "tests/capture/test_random_models.py",
        ),
    ),
    "operators on PyTorch's own samples": Proof(
        _operators,
        (
            "src/selvedge/ir",
            "src/selvedge/capture",
            "src/selvedge/artifact",
            "tests/capture/database.py",
            "tests/capture/test_operator_database.py",
            "tests/capture/parity.py",
        ),
    ),
    "random models, native": Proof(
        _native,
        (*_SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_random_models_native.py"),
        without=_ELSEWHERE,
    ),
    "parts of random models, native": Proof(
        _parts, (*_SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_parts.py"), without=_ELSEWHERE
    ),
    "changes that a refusal proposes": Proof(_changes, (*_SRC, "tests/models.py", "tests/make/test_change.py")),
    "random models in fewer bytes": Proof(
        _saved, (*_SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_trade.py")
    ),
    "small steps against an exhaustive search": Proof(
        _small_steps,
        ("src/selvedge/ir", "src/selvedge/planning", "tests/planning/saving"),
    ),
    "zoo gradients, and twenty steps in double": Proof(
        _zoo,
        (*_SRC, "native", "src/selvedge/zoo", "tests/oracle.py", "tests/make/test_gradients.py"),
        without=_ELSEWHERE,
    ),
    "the zoo's networks at full width": Proof(
        _zoo_at_full_width,
        (*_SRC, "native", "src/selvedge/zoo", "tests/oracle.py", "tests/models.py", "tests/zoo/test_gradients.py"),
        without=_ELSEWHERE,
    ),
    "bytes of accumulation, clipping and state": Proof(
        _bytes,
        (*_SRC, "native", "tests/oracle.py", "tests/make/test_memory.py", "tests/make/test_optimizer_bytes.py"),
        without=_ELSEWHERE,
    ),
    "state in fewer bytes, five seeds": Proof(
        _state,
        (*_SRC, "native", "src/selvedge/face/demo", "benchmarks/optimizer_state.py", "benchmarks/prove_state.py"),
        without=_ELSEWHERE,
    ),
    "POET's case, executed": Proof(
        _poet, (*_SRC, "native", "benchmarks/memory.py", "benchmarks/poet.py", "benchmarks/prove_poet.py")
    ),
    "a step in half the bytes": Proof(
        _lighter,
        (*_SRC, "native", "src/selvedge/zoo", "benchmarks/memory.py", "benchmarks/prove_lighter.py"),
        without=_ELSEWHERE,
        again=again.lighter,
    ),
    "every zoo model at its bound": Proof(
        _zoo_bounds,
        (*_SRC, "src/selvedge/zoo", "benchmarks/prove_zoo.py"),
        without=_ELSEWHERE,
        again=again.bounds,
    ),
    "memory of every zoo network, with peers": Proof(
        _memory,
        (
            *_SRC,
            "native",
            "src/selvedge/zoo",
            "benchmarks/memory.py",
            "benchmarks/peer_memory.py",
            "benchmarks/peers/executorch.py",
            "benchmarks/peers/pytorch.py",
            "benchmarks/prove_memory.py",
            "benchmarks/work.py",
            "benchmarks/zoo_memory.py",
        ),
        without=_ELSEWHERE,
        again=again.memory,
    ),
    "the backward by channels": Proof(
        _channels,
        ("src/selvedge/ir", "src/selvedge/capture", "src/selvedge/planning", "tests/planning/test_channels.py"),
    ),
    "demo, five seeds": Proof(
        _demo,
        (
            *_SRC,
            "native",
            "src/selvedge/learn/adapt.py",
            "src/selvedge/learn/draws.py",
            "src/selvedge/learn/memory",
            "src/selvedge/face/demo",
            "benchmarks/prove_demo.py",
        ),
    ),
    "what to update, four transfers": Proof(
        _auto,
        (*_SRC, "native", "src/selvedge/learn/metrics.py", "benchmarks/auto", "benchmarks/prove_auto.py"),
        without=_ELSEWHERE,
        again=again.transfers,
    ),
    "a character model's ten owners": Proof(
        _personal,
        (
            "src/selvedge/artifact",
            "src/selvedge/make/compile.py",
            "src/selvedge/make/state.py",
            "src/selvedge/run",
            "src/selvedge/zoo/char_gru.py",
            "benchmarks/auto/sources.py",
            "benchmarks/personal",
            "benchmarks/prove_personal.py",
        ),
        programs=programs.personal,
        again=again.personal,
    ),
    "a learner killed 1,000 times": Proof(
        _killed,
        (
            "src/selvedge/artifact",
            "src/selvedge/learn",
            "src/selvedge/run",
            "benchmarks/kill_live.py",
            "tests/learn/test_kill_live.py",
        ),
    ),
    "federated rounds under mixed faults": Proof(
        _chaos,
        (
            *(
                f"src/selvedge/federate/{name}"
                for name in (
                    "aggregate",
                    "bodies.py",
                    "client/liar.py",
                    "client/participant.py",
                    "client/store.py",
                    "client/trainer.py",
                    "codec",
                    "coordinator.py",
                    "cover.py",
                    "events.py",
                    "federation.py",
                    "feedback.py",
                    "grid/faults.py",
                    "grid/grid.py",
                    "grid/virtual.py",
                    "keys.py",
                    "layout.py",
                    "local.py",
                    "message.py",
                    "names.py",
                    "refused.py",
                    "roster.py",
                    "server.py",
                    "shown.py",
                    "spill.py",
                    "tally.py",
                )
            ),
            "src/selvedge/artifact/files.py",
            "src/selvedge/artifact/number.py",
            "src/selvedge/learn/draws.py",
            "src/selvedge/learn/journal",
            "src/selvedge/learn/memory/packing.py",
            "tests/federate/ledger.py",
            "tests/federate/test_chaos.py",
            "tests/federate/test_server.py",
            "tests/federate/toward.py",
        ),
    ),
    "masked sums under faults by lot": Proof(_masked, (*_MASKING, "benchmarks/prove_masking.py"), again=again.masked),
    "masked sums, any order of events": Proof(
        _masked_machine,
        (*_MASKING, "tests/federate/masking/company.py", "tests/federate/masking/test_machine.py"),
    ),
    "privacy, beside opacus and audited": Proof(
        _privacy,
        (
            "src/selvedge/federate/aggregate/fixed.py",
            "src/selvedge/federate/client/per_example.py",
            "src/selvedge/federate/client/private.py",
            "src/selvedge/federate/coordinator.py",
            "src/selvedge/federate/privacy",
            "benchmarks/private/audit.py",
            "benchmarks/prove_privacy.py",
        ),
        again=_privacy_again,
    ),
    "int8 networks of the zoo, every tensor": Proof(
        _int8,
        (
            *_SRC,
            "native",
            "src/selvedge/compressing/litert.py",
            "src/selvedge/formats/tflite",
            "src/selvedge/zoo",
            "tests/formats/tflite/litert.py",
            "tests/formats/tflite/test_zoo_native.py",
        ),
        without=_ELSEWHERE,
        int8=True,
    ),
    "quantised networks, five seeds": Proof(
        _quantised,
        (
            "benchmarks/answers.py",
            "benchmarks/auto/nets.py",
            "benchmarks/auto/sources.py",
            "benchmarks/auto/statistics.py",
            "benchmarks/prove_quantise.py",
            "benchmarks/quantise/experiment.py",
            "benchmarks/quantise/runtimes.py",
            "benchmarks/quantise/tasks.py",
            "benchmarks/quantise/ways.py",
            *APART,
            "native",
            "src/selvedge/emitting",
            "src/selvedge/formats/onnx",
            *(
                f"src/selvedge/compressing/{name}.py"
                for name in (
                    "equalise",
                    "export",
                    "finish",
                    "fold",
                    "layers",
                    "learned",
                    "litert",
                    "mend",
                    "operators",
                    "pt2e",
                    "qat",
                    "quantise",
                    "quantised",
                    "ranges",
                    "samples",
                    "simulate",
                    "watch",
                )
            ),
        ),
        without=("src/selvedge/formats/onnx/folded.py",),  # constants of files that others wrote
        again=again.quantised,
        int8=True,
    ),
}

# Not proven on this code, and why: nothing may quote them. `make prove` leaves them out unless they are named.
UNPROVEN: Mapping[str, str] = {
    "a learner killed 1,000 times": "it takes long; ten kills are seen with every change",
}


def stale() -> list[str]:
    """Names of proofs whose committed figures are missing or of other sources."""
    known = _known()
    wanted = {name: proof for name, proof in PROOFS.items() if name in known or name not in UNPROVEN}
    return [name for name, proof in wanted.items() if not current(known.get(name, {}), proof.digest())]


def current(result: Mapping[str, Any], digest: str) -> bool:
    """Is ``result`` of the sources with that digest: made in full, or seen again?"""
    return digest in (result.get("digest"), result.get("again", {}).get("digest"))


def seen_again(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """What of the proof was made again, a tenth: of its rows, of its examples, or of the cases of its test. Raises
    ``AssertionError`` where it comes out otherwise, and for a proof that has none of these: that is made in full."""
    proof, figures = PROOFS[name], result["figures"]
    digest, examples = proof.digest(), figures.get("examples", 0)
    if proof.again:
        count, told = proof.again(figures, digest)
    elif "test" in figures and examples < 2:  # nothing is drawn: its cases are what counts
        count, told = again.tests(figures["test"], digest, lambda chosen: _tested(chosen, 1, full=True))
    else:
        count = examples // again.SHARE
        assert count, "it has no count to take a tenth of: make it in full"
        told = _tested((figures["test"],), count, full=False)
    return {"digest": digest, "examples": count, "result": told}


def publish(known: Mapping[str, Any]) -> None:
    """The results as people read them: the page of proofs, and the README's table of the zoo's memory."""
    from .memory_page import shown

    files.write(PAGE, page(known, PROOFS, UNPROVEN).encode())
    files.write(README, shown(README.read_text(), known).encode())


def main(arguments: list[str]) -> int:
    """Prove what is stale (or the names); each result is written as soon as it is there."""
    part = "--again" in arguments
    names = [name for name in arguments if name != "--again"]
    known = _known()
    names = names or stale()
    for name in names:
        if name not in PROOFS or (part and name not in known):
            told = "has no full run to see again" if name in PROOFS else f"is no proof: choose of {', '.join(PROOFS)}"
            print(f"benchmarks.prove: {name!r} {told}; --again runs a tenth of what changed", file=sys.stderr)
            return 2
    failed = 0
    for name in names:
        print(f"{name} ...", flush=True)
        start, digest = time.perf_counter(), PROOFS[name].digest()
        try:
            if part:
                made = {**_known()[name], "again": seen_again(name, _known()[name])}
            else:
                made = {"digest": digest, "figures": PROOFS[name].run()}
                # Rows that an earlier run has made took their time then.
                made["seconds"] = made["figures"].get("about", {}).get("seconds", round(time.perf_counter() - start, 1))
        except AssertionError as error:
            print(f"FAILED {name}: {error}")
            failed += 1
            continue
        known = {**_known(), name: made}
        files.write(RESULTS, (json.dumps(known, indent=1) + "\n").encode())
        publish(known)
        told = json.dumps(made["again"] if part else made["figures"])[:400]
        print(f"{name}: {time.perf_counter() - start:.0f} s: {told}", flush=True)
    for name, result in _known().items():  # of earlier runs too: what was missed stays a failure
        if missed := result["figures"].get("missed"):
            print(f"FAILED {name}: {'; '.join(missed)}")
            failed += 1
    if not failed:
        print("every proof is current")
    return 1 if failed else 0


def _known() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
