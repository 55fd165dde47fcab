"""Events cross processes: each class is frozen, survives pickle, and has a public name."""

from __future__ import annotations

import dataclasses
import pickle

import pytest
from event_samples import EVENT_KINDS, sample

from marscore.events import fields_of, name_of

every_kind = pytest.mark.parametrize("kind", EVENT_KINDS, ids=name_of)


@every_kind
def test_an_event_survives_pickle(kind):
    event = sample(kind)
    assert pickle.loads(pickle.dumps(event)) == event


@every_kind
def test_an_event_cannot_be_changed(kind):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample(kind).at = 0.0


@every_kind
def test_public_names_end_without_underscore(kind):
    assert not [name for name in fields_of(sample(kind)) if name.endswith("_")]
