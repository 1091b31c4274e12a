"""Fitting the linear stage: what is served is what scikit-learn learned, and knows no test row."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from cascade.clean import clean
from cascade.errors import TrainingError
from cascade.stages.base import Heads
from train import linear
from train.linear import CHARACTERS, WORDS, LinearFit, fit_linear
from train.starter import generate

TICKETS = list(generate(300, seed=6))
# Their beginnings have a quarter of the n-grams, so that a fit takes a second.
TEXTS = [clean(f"{ticket.subject}\n{ticket.body}")[:150] for ticket in TICKETS]
QUEUES = tuple(sorted({ticket.queue for ticket in TICKETS}))
HEADS: Heads = {"queue": QUEUES, "sentiment": ("negative", "positive")}
TARGETS = {
    "queue": np.asarray([QUEUES.index(ticket.queue) for ticket in TICKETS]),
    "sentiment": np.asarray(
        [{"negative": 0, "positive": 1}.get(ticket.sentiment, -1) for ticket in TICKETS]
    ),
}


@pytest.fixture(scope="module")
def fitted() -> LinearFit:
    return fit_linear(TEXTS, TARGETS, HEADS, trust_labels=True, quiet=True)


def test_the_stage_gives_the_probabilities_of_a_pipeline_of_scikit_learn(fitted: LinearFit) -> None:
    kinds = (WORDS, CHARACTERS) if fitted.notes["characters"] else (WORDS,)
    models = [
        TfidfVectorizer(
            analyzer=kind.analyzer,
            ngram_range=(kind.shortest, kind.longest),
            sublinear_tf=True,
            dtype=np.float32,
        ).fit(TEXTS)
        for kind in kinds
    ]
    new = [clean(f"{t.subject}\n{t.body}") for t in generate(80, seed=60)] + ["", "a", "ünknown"]

    def matrix(texts: list[str]) -> object:
        return hstack([model.transform(texts) for model in models], format="csr")

    served = fitted.stage.predict(new)
    for head, y in TARGETS.items():
        known = np.flatnonzero(y >= 0)
        model = LogisticRegression(C=fitted.notes["C"], max_iter=300, tol=1e-3)
        model.fit(matrix([TEXTS[i] for i in known]), y[known])
        assert np.abs(served[head] - model.predict_proba(matrix(new))).max() < 1e-5


def test_a_choice_that_was_made_is_not_made_again(fitted: LinearFit) -> None:
    """It is the same as the one that fitting makes."""
    choice = linear.choose(TEXTS, TARGETS["queue"], quiet=True)
    again = fit_linear(TEXTS, TARGETS, HEADS, choice=choice, trust_labels=True, quiet=True)
    assert again.stage.to_files() == fitted.stage.to_files()
    assert again.notes == fitted.notes


def test_what_was_chosen_is_noted(fitted: LinearFit) -> None:
    losses = fitted.notes["log_loss_by_C"]
    assert isinstance(losses, dict)
    assert fitted.notes["C"] == float(min(losses, key=lambda c: losses[c]))
    assert fitted.notes["terms"]
    without, with_ = min(losses.values()), fitted.notes["log_loss_with_characters"]
    assert isinstance(with_, float)
    assert fitted.notes["characters"] == (with_ < 0.97 * without)


def test_characters_are_taken_when_they_earn_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for earn, taken in ((-1.0, True), (1.0, False)):
        monkeypatch.setattr(linear, "EARN", earn)
        some = {head: y[:120] for head, y in TARGETS.items()}
        assert fit_linear(TEXTS[:120], some, HEADS, quiet=True).notes["characters"] is taken


def test_of_many_tickets_some_choose_the_n_grams_and_all_are_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear, "COUNTED", 100)
    monkeypatch.setattr(linear, "AT_ONCE", 64)
    y = TARGETS["queue"]
    fit = fit_linear(TEXTS, {"queue": y}, {"queue": QUEUES}, trust_labels=True, quiet=True)
    assert fit.notes["characters"] is False
    assert "log_loss_with_characters" not in fit.notes, "they are not tried"
    some = [TEXTS[row] for row in np.linspace(0, len(TEXTS) - 1, 100).astype(int)]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32).fit(some)
    model = LogisticRegression(C=fit.notes["C"], max_iter=300, tol=1e-3)
    model.fit(words.transform(TEXTS), y)
    served = fit.stage.predict(TEXTS)["queue"]
    assert np.abs(served - model.predict_proba(words.transform(TEXTS))).max() < 1e-5


def test_out_of_fold_probabilities_are_probabilities(fitted: LinearFit) -> None:
    for head, classes in HEADS.items():
        out = fitted.out_of_fold[head]
        assert out.shape == (len(TEXTS), len(classes))
        assert np.allclose(out.sum(axis=1), 1, atol=1e-5)


def unique_words(n: int) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """Texts that share no word, with labels at random: what is known of one is of no other."""
    names = ["".join(chr(97 + int(digit)) for digit in f"{i:05}") for i in range(n)]
    return [f"{name} q{name} z{name}" for name in names], {
        "queue": np.random.default_rng(0).integers(0, 2, n)
    }


def test_out_of_fold_really_is_out_of_fold() -> None:
    """The fitted model knows its own rows by heart; out of fold it cannot tell them at all."""
    texts, targets = unique_words(200)
    fit = fit_linear(texts, targets, {"queue": ("a", "b")}, quiet=True)
    y = targets["queue"]
    known = fit.stage.predict(texts)["queue"].argmax(axis=1) == y
    unknown = fit.out_of_fold["queue"].argmax(axis=1) == y
    assert known.mean() > 0.95
    assert unknown.mean() < 0.65


def test_rows_without_a_label_are_filled_by_the_model_of_the_others(fitted: LinearFit) -> None:
    missing = np.flatnonzero(TARGETS["sentiment"] < 0)
    assert len(missing)
    served = fitted.stage.predict([TEXTS[i] for i in missing])["sentiment"]
    assert np.abs(fitted.out_of_fold["sentiment"][missing] - served).max() < 1e-5


def test_a_class_that_train_lacks_survives_and_is_unlikely() -> None:
    """It happens when the split is by time."""
    heads = {"queue": ("aaa", *QUEUES, "zzz")}
    fit = fit_linear(TEXTS, {"queue": TARGETS["queue"] + 1}, heads, quiet=True)
    for out in (fit.stage.predict(TEXTS)["queue"], fit.stage.predict([""])["queue"]):
        assert np.allclose(out.sum(axis=1), 1, atol=1e-5)
        assert (out[:, [0, -1]] > 0).all()
        assert (out[:, [0, -1]] < 0.02).all()


def test_a_class_that_two_classes_lack_survives() -> None:
    texts, targets = unique_words(60)
    fit = fit_linear(texts, targets, {"queue": ("a", "b", "never")}, quiet=True)
    out = fit.stage.predict(texts)["queue"]
    assert (out.argmax(axis=1) == targets["queue"]).mean() > 0.95
    assert (out[:, 2] < 0.05).all()


@pytest.mark.parametrize(
    "counts", [(4, 4), (30, 1), (30, 2), (1, 1), (5, 1, 1)], ids=lambda counts: str(counts)
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_classes_of_hardly_any_rows(counts: tuple[int, ...]) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    texts, _ = unique_words(len(y))
    heads = {"queue": tuple("abc"[: len(counts)])}
    fit = fit_linear(texts, {"queue": y}, heads, quiet=True)
    assert np.allclose(fit.out_of_fold["queue"].sum(axis=1), 1, atol=1e-5)
    assert (fit.stage.predict(texts)["queue"].argmax(axis=1) == y).any()


@pytest.mark.parametrize("y", [[0] * 20, [1] * 20])
def test_one_class_only_is_an_error_that_names_the_label(y: list[int]) -> None:
    texts, _ = unique_words(20)
    with pytest.raises(TrainingError, match="one class only of 'queue'"):
        fit_linear(texts, {"queue": np.asarray(y)}, {"queue": ("a", "b")}, quiet=True)
    both = {"queue": np.arange(20) % 2, "urgency": np.asarray(y)}
    with pytest.raises(TrainingError, match="one class only of 'urgency'"):
        fit_linear(texts, both, {"queue": ("a", "b"), "urgency": ("x", "y")}, quiet=True)


def test_the_same_seed_gives_the_same_files(fitted: LinearFit) -> None:
    again = fit_linear(TEXTS, TARGETS, HEADS, trust_labels=True, quiet=True)
    assert again.stage.to_files() == fitted.stage.to_files()
    assert np.array_equal(again.out_of_fold["queue"], fitted.out_of_fold["queue"])


def test_a_clash_with_what_the_others_say_counts_less() -> None:
    words = np.asarray(["vpn tunnel", "invoice refund"])
    y = np.arange(80) % 2
    texts = [f"{words[k]} {'abcdefghij'[n % 10] * 3}" for n, k in enumerate(y)]
    y[0] = 1
    heads = {"queue": ("network", "billing")}
    fit = fit_linear(texts, {"queue": y}, heads, quiet=True)
    assert fit.suspects.rows.tolist() == [0]
    assert fit.notes["suspects"] == 1
    trusting = fit_linear(texts, {"queue": y}, heads, trust_labels=True, quiet=True)
    assert len(trusting.suspects) == 0
    assert np.array_equal(trusting.out_of_fold["queue"], fit.out_of_fold["queue"])
    asked = ["the vpn tunnel"]
    assert fit.stage.predict(asked)["queue"][0, 0] > trusting.stage.predict(asked)["queue"][0, 0]


def test_a_trial_sample_holds_the_rare_classes() -> None:
    y = np.asarray([0] * 5_000 + [1] * 5)
    sample = linear._sample(y, 100, seed=0)
    assert 100 <= len(sample) <= 110
    assert (y[sample] == 1).sum() == 5
    assert len(set(sample.tolist())) == len(sample)
