"""Where an RA may go from where it is."""

import pytest

from gateway.domain.lifecycle import DECIDED, TRANSITIONS, RaState, WrongStepError, may, step


def test_it_has_a_row_for_every_state_and_no_state_without_a_way_in() -> None:
    assert set(TRANSITIONS) == set(RaState)
    reachable = {wanted for row in TRANSITIONS.values() for wanted in row}
    assert reachable | {RaState.IMPORTED} == set(RaState)


@pytest.mark.parametrize("state", RaState)
def test_it_lets_every_step_be_repeated(state: RaState) -> None:
    assert step(state, state) == state


@pytest.mark.parametrize("state", sorted(DECIDED))
def test_it_never_goes_back_to_waiting_for_goods_once_decided(state: RaState) -> None:
    for earlier in (RaState.SENT, RaState.PARTLY_RECEIVED, RaState.RECEIVED):
        assert not may(state, earlier)
        with pytest.raises(WrongStepError, match="cannot become"):
            step(state, earlier)
