"""What a run prints about its scores."""

from modes.training import print_numbers


def test_scores_are_printed_and_their_absence_is_said(capsys):
    print_numbers("test, weak labels", {"roc_auc_macro": 0.75, "pr_auc_macro": None})
    print_numbers("test, true labels", {"roc_auc_macro": None})
    assert capsys.readouterr().out.splitlines() == [
        "test, weak labels: roc_auc_macro 0.7500",
        "test, true labels: no tag can be scored, as none has both clips with it and "
        "without it",
    ]
