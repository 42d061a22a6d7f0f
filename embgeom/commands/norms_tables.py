"""What ``python -m embgeom.norms`` prints."""

from __future__ import annotations

from rich.markup import escape

from embgeom import cli
from embgeom.norms.records import NormAnalysis, TokenNorm
from embgeom.norms.verdict import correlation_text

__all__ = ["print_tables"]

_SHOWN, _LONGEST = 5, 24


def print_tables(results: list[NormAnalysis]) -> None:
    """Print one table each on the trend, on the classes of tokens and on the tokens that were never seen."""
    _print_correlations(results)
    _print_classes(results)
    _print_never_seen(results)


def _print_correlations(results: list[NormAnalysis]) -> None:
    table = cli.table(*("model", "data", ">types", ">tokens", ">ρ", ">ρ within classes", ">frequent", ">rare"))
    names = _names(results)
    for result in results:
        table.add_row(
            *map(escape, names[id(result)]),
            *(str(result.types), str(result.tokens)),
            *(escape(correlation_text(found)) for found in (result.correlation, result.within_classes)),
            *(f"{norm:.4f}" for norm in (result.frequent_mean_norm, result.rare_mean_norm)),
        )
    several = len(results) > 1
    sentences = [
        (" · ".join(filter(None, names[id(result)])) + ": " if several else "") + result.sentence for result in results
    ]
    counted = "counted" if results[0].special_tokens else "left out"
    left_out = sum(result.left_out_tokens for result in results)
    skipped = sum(int(result.provenance.get("skipped") or 0) for result in results)
    cli.print_table(
        table,
        title=f"Frequency of tokens against the norm of their {results[0].layer} embeddings (special tokens {counted})",
        caption="ρ: Spearman's, over token types, with its bootstrap interval "
        f"({100 * results[0].confidence:g} %); frequent, rare: mean norm of the most frequent and of the rarest tenth "
        "of the types"
        + (f"; {left_out} tokens have no embedding and were left out" if left_out else "")
        + cli.skipped_text(skipped)
        + "\n\n"
        + "\n".join(sentences),
    )


def _print_classes(results: list[NormAnalysis]) -> None:
    table = cli.table(*("model", "data", "class", ">types", ">tokens", ">ρ", ">norm", ">never seen", ">their norm"))
    names = _names(results)
    for result in results:
        shown = list(map(escape, names[id(result)]))
        for of_class in result.classes:
            table.add_row(
                *shown,
                of_class.name,
                *(str(of_class.types), str(of_class.tokens)),
                escape(correlation_text(of_class.correlation)),
                _norm(of_class.mean_norm),
                str(of_class.never_seen),
                _norm(of_class.never_seen_mean_norm),
            )
            shown = ["", ""]
    cli.print_table(
        table,
        title="Within classes of tokens",
        caption="norm: mean over the types that were seen; –: undefined, or none; no interval: fewer than 10 types",
    )


def _print_never_seen(results: list[NormAnalysis]) -> None:
    table = cli.table(*("model", "data", ">types", ">mean", ">smallest", ">largest", ">P(below seen)"))
    extremes = cli.table("model", "data", "never seen", "tokens, with their norms")
    names = _names(results)
    for result in results:
        unseen, shown = result.never_seen, list(map(escape, names[id(result)]))
        share = "–" if unseen.share_below_seen is None else f"{unseen.share_below_seen:.3f}"
        norms = map(_norm, (unseen.mean_norm, unseen.least_norm, unseen.largest_norm))
        table.add_row(*shown, str(unseen.types), *norms, share)
        for which, tokens in (("smallest", unseen.smallest), ("largest", unseen.largest)):
            if tokens:
                extremes.add_row(*shown, which, escape("  ".join(map(_token, tokens[:_SHOWN]))))
                shown = ["", ""]
    padding = sum(result.rows_without_token for result in results)
    cli.print_table(
        table,
        title="Norms of the tokens that the texts do not have (under-trained ones are among them)",
        caption="P(below seen): that such a token has a smaller norm than one that was seen, both drawn at random"
        + (f"; {padding} rows that no token has were left out" if padding else ""),
    )
    if extremes.row_count:
        cli.print_table(extremes, title="The most extreme of them")


def _norm(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _token(token: TokenNorm) -> str:
    # White space in a token would be lost in a table, and a control character would disturb it.
    text = token.token if len(token.token) <= _LONGEST else token.token[: _LONGEST - 1] + "…"
    plain = text.split() == [text] and text.isprintable()
    return f"{text if plain else repr(text)} {token.norm:.3f}"


def _names(results: list[NormAnalysis]) -> dict[int, list[str]]:
    """Return what to call each result, by its identity: model and data."""
    models = cli.short_names([result.model or "" for result in results])
    return {id(result): [models[result.model or ""], result.data or ""] for result in results}
