"""The page of what a verdict supports of the NIST AI RMF and the ML Test Score, from the maps that decide it."""

from __future__ import annotations

from seatrial.cli.schema import MADE
from seatrial.promotion.assurance.mapping import MlTest, Needs, Subcategory, ml_tests, shows, sources, subcategories

INTRODUCTION = """
The [AI Risk Management Framework]({rmf}) of the U.S. National Institute of Standards and Technology (NIST AI 100-1,
January 2023) lists 72 outcomes that an organization should reach, its *subcategories*.
[`seatrial evidence`](../how-to/evidence.md) says which of them the results of a signed verdict support. This page is
the whole map; it is made from the files that the command reads.

## What is claimed, and what is not

- **In part, never whole.** A subcategory is about what an organization does. Results of tests can be evidence for a
  part of it, and the output says for each what they leave open. Nothing here says that an organization, or a system,
  follows the framework.
- **What failed supports nothing.** Nor does what could not be evaluated. Such a subcategory is shown as *failed* or
  *inconclusive*, also where other checks of the same subcategory passed.
- **Thresholds come first.** A limit that is set after the result is known shows nothing. A result counts where each
  threshold that judged it was committed before the run began. Otherwise it is shown as *not counted*, with the reason.
  A check without a threshold in the policy, such as environment, is judged by its own rule, and counts.
- **By digest.** Results are read from `verdict.json`, which the signed statement fixes by its digest, as it fixes
  model, code, policy and reference. The same statement, files and history give the same output: whoever has them can
  compute it again.
- **The rest is *not assessed*.** Each subcategory without a result has its reason.

## How thresholds are found

The statement fixes the digest of the policy. seatrial looks for the policy with this digest: in the newest commit
before the run, else in a commit after it, else in the folder. So a threshold that was changed since is not taken for
that of the run. For each file of that policy, the commit since which it has said the same names author and time, the
later one of the commit's two dates. A comment is no change.

Git's dates are what the committer's clock said, and can be set to anything. Whoever must rule that out compares them
with what the server recorded when the commit was pushed. In a shallow clone the author may be unknown: fetch the whole
history, in GitHub Actions with `fetch-depth: 0`. Without a repository, author and time are *unknown*, and no threshold
is counted.

What a stage's file imports from elsewhere in the project is not looked at: the setting is then shown as the import.
"""
SCORE = """
The paper ([Breck et al. 2017]({paper})) has 28 tests in four sections. A test that is run by hand, with its results
documented, gives half a point, and a whole one where it runs by itself, again and again. The score is the *fewest*
points of a section. `seatrial evidence` computes it from the verdict alone, both ways: a verdict does not say what
started it. What seatrial cannot see counts 0, *partly* gives no point, and a test that failed gives none, though
somebody ran it. So this is a part of a team's score, not the team's score. The tests are described in words of our own.

*Covered* and *partly* need that what is named passed, and counts.
"""
NEVER = "never"


def page() -> str:
    """Return the page, in Markdown."""
    rmf, paper = sources()
    lines = [MADE, "", "# NIST AI RMF and ML Test Score", INTRODUCTION.format(rmf=rmf), "## The subcategories", ""]
    lines += ["What a check that passed is said to show:", "", "| check | shows |", "|---|---|"]
    checks = dict.fromkeys(check for each in subcategories() for check in each.checks)
    for check in sorted(checks):
        lines.append(f"| {check} | {shows(check, service=False)} |")
        if (served := shows(check, service=True)) != shows(check, service=False):
            lines.append(f"| {check}, on the service | {served} |")
    for function in ("GOVERN", "MAP", "MEASURE", "MANAGE"):
        lines += [
            "",
            f"### {function}",
            "",
            "| subcategory | text | supported in part by | not shown, or why not assessed |",
        ]
        lines += ["|---|---|---|---|"]
        lines += [_row(each) for each in subcategories() if each.id.startswith(f"{function} ")]
    lines += ["", "## The ML Test Score", SCORE.format(paper=paper), "| test | asks | covered | partly | else |"]
    lines += ["|---|---|---|---|---|", *map(_test, ml_tests())]
    return "\n".join([*lines, ""])


def _row(each: Subcategory) -> str:
    by = NEVER
    if each.checks:
        stages = f", of stages with `{'`, `'.join(each.declares)}=`" if each.declares else ""
        by = f"{', '.join(each.checks)}{stages}"
    elif each.verdict:
        by = "a verdict that is a pass"
    elif each.records:
        committed = ", where each threshold has a known author and is older than the run"
        by = f"what is signed{committed if each.committed else ''}"
    said = f"{each.shows} *Not shown:* {each.rest}" if each.rest else each.because
    return f"| {each.id} | {each.text} | {by} | {said.strip()} |"


def _test(each: MlTest) -> str:
    why = f": {each.partly.because}" if each.partly else ""
    return f"| {each.number} | {each.says} | {_needs(each.covered)} | {_needs(each.partly)}{why} | {each.no} |"


def _needs(needs: Needs | None) -> str:
    if needs is None:
        return NEVER
    where = {"service": " on the service", "dependencies": " on a live dependency"}.get(needs.stages, "")
    declared = "".join(f", with `{name}`" for name in needs.declares)
    measured = "".join(f", with a number `{name}`" for name in needs.measured)
    return f"{' or '.join(needs.checks)}{where}{declared}{measured}"
