#!/usr/bin/env python3
"""What an independent implementation of MLRsearch says, for the tests beside this file.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install MLRsearch==1.2.1
    /tmp/oracle/bin/python oracle.py > oracle.json

The output is committed, so that the tests need no network; it is the same in every run.
"""

import json
import random
import types

from MLRsearch import (
    AbstractMeasurer,
    Config,
    MeasurementResult,
    MultipleLossRatioSearch,
    SearchGoal,
)
from MLRsearch.target_stat import TargetStat

FRAMES = 10_000


def classifications(count):
    """Random trials at one load, and what becomes of it."""
    rng = random.Random(9971)
    for _ in range(count):
        trial_s = rng.choice([0.125, 1.0, 4.0])
        target = types.SimpleNamespace(
            loss_ratio=rng.choice([0.0, 0.0, 0.005, 0.25]),
            exceed_ratio=rng.choice([0.0, 0.5, 0.5, 0.25, 0.125]),
            trial_duration=trial_s,
            duration_sum=trial_s * rng.choice([1, 2, 3, 21]),
        )
        stat = TargetStat(target)
        trials = []
        for _ in range(rng.randrange(0, 40)):
            duration = rng.choice([0.125, 0.5, 1.0, 4.0])
            lost = rng.choice([0, 0, 0, 1, 50, 51, 2500, 10_000])
            trials.append([duration, lost])
            stat.add(
                types.SimpleNamespace(
                    intended_duration=duration,
                    duration_with_overheads=duration,
                    loss_ratio=lost / FRAMES,
                )
            )
        optimistic, pessimistic = stat.estimates()
        yield {
            "trial_s": target.trial_duration,
            "duration_sum_s": target.duration_sum,
            "loss_ratio": target.loss_ratio,
            "exceed_ratio": target.exceed_ratio,
            "trials": trials,
            "optimistic": optimistic,
            "pessimistic": pessimistic,
            "loss_at_quantile": stat.pessimistic_loss_ratio if stat.long_losses else None,
        }


class System(AbstractMeasurer):
    """Takes so many frames per second and loses the rest."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.trials = 0
        self.elapsed = 0.0

    def measure(self, intended_duration, intended_load):
        self.trials += 1
        self.elapsed += intended_duration
        offered = int(intended_load * intended_duration)
        received = min(offered, round(self.capacity * intended_duration))
        return MeasurementResult(
            intended_duration=intended_duration,
            intended_load=intended_load,
            offered_count=offered,
            forwarding_count=received,
        )


GOALS = {"NDR": 0.0, "PDR": 0.005}


def searches():
    """A whole search, for systems of various capacities."""
    for capacity in [10_000, 123_456, 1_000_000, 8_000_000, 14_880_952, 19_000_000]:
        system = System(capacity)
        config = Config()
        config.goals = [
            SearchGoal(
                loss_ratio=loss,
                exceed_ratio=0.5,
                relative_width=0.005,
                initial_trial_duration=1.0,
                final_trial_duration=1.0,
                duration_sum=21.0,
                preceding_targets=2,
                expansion_coefficient=2,
                fail_fast=False,
            )
            for loss in GOALS.values()
        ]
        config.min_load = 9_001.0
        config.max_load = 20_000_000.0
        config.search_duration_max = 1200.0
        config.warmup_duration = None
        found = MultipleLossRatioSearch(config=config).search(
            measurer=system, debug=lambda text: None
        )
        yield {
            "capacity": capacity,
            "trials": system.trials,
            "elapsed_s": system.elapsed,
            "goals": [
                {
                    "name": name,
                    "lower": float(result.relevant_lower_bound),
                    "upper": float(result.relevant_upper_bound),
                    "conditional_throughput": float(result.conditional_throughput),
                }
                for name, result in zip(GOALS, found.values())
            ],
        }


print(
    json.dumps(
        {
            "by": "MLRsearch 1.2.1",
            "classifications": list(classifications(400)),
            "searches": list(searches()),
        },
        separators=(",", ":"),
    ).replace('{"trial_s"', '\n{"trial_s"').replace('{"capacity"', '\n{"capacity"')
)
