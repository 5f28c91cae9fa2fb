"""Planning and applying, against a Google made of dictionaries."""

from __future__ import annotations

import itertools
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.kinds.cluster import CLUSTER, NODE_POOL
from plugins.module_utils.gcloud.kinds.data import SQL_INSTANCE
from plugins.module_utils.gcloud.model import Output, Resource, RestKind
from plugins.module_utils.gcloud.operations import Patience
from plugins.module_utils.gcloud.plan import Plan, dependencies, make_plan

from .fakes import FakeApi, kind, thing


def patience(seconds: float = 60, said: list[str] | None = None) -> Patience:
    """Patience on a clock that only sleeping moves."""
    time = {"now": 0.0}

    def sleep(pause: float) -> None:
        time["now"] += pause

    tell = (said if said is not None else []).append
    return Patience(seconds, tell, clock=lambda: time["now"], sleep=sleep)


def run(api: FakeApi, wanted: list[Resource], *, absent: bool = False, seconds: float = 60) -> Executor:
    executor = Executor(api, patience(seconds))
    executor.apply(executor.plan(wanted, absent=absent))
    return executor


def test_create_then_nothing_then_change_then_absent() -> None:
    api = FakeApi(slow=2)
    wanted = [thing("a", {"size": 1, "ranges": ["x"], "labels": {"l": "1"}})]
    assert run(api, wanted).done == ["create thing a"]
    assert api.things[("things", "a")]["labels"] == {"l": "1"}
    writes = len(api.writes())
    assert run(api, wanted).done == []
    assert len(api.writes()) == writes
    changed = [thing("a", {"size": 2, "ranges": [], "labels": {"l": "1"}})]
    assert run(api, changed).done == ["update thing a: size: 1 -> 2; ranges: [x] -> []"]
    assert api.things[("things", "a")]["ranges"] == []
    assert run(api, changed, absent=True).done == ["delete thing a"]
    assert run(api, changed, absent=True).done == []


def test_check_mode_is_the_plan_and_predicts_what_apply_does() -> None:
    api = FakeApi()
    run(api, [thing("a", {"size": 1})])
    wanted = [thing("a", {"size": 2}), thing("b", {"size": 1})]
    planner = Executor(api, patience())
    before = len(api.writes())
    plan = planner.plan(wanted)
    assert len(api.writes()) == before
    assert sorted(plan.lines()) == sorted(run(api, wanted).done)


def test_dependencies_come_first_and_go_last() -> None:
    api = FakeApi()
    net, sub = kind("net"), kind("sub")
    first = thing("n", of=net)
    wanted = [thing("s", {"ref": first.link}, of=sub), first]
    run(api, wanted)
    assert api.writes() == [("nets.insert", "n"), ("subs.insert", "s")]
    run(api, wanted, absent=True)
    assert [method for method, _ in api.writes()[2:]] == ["subs.delete", "nets.delete"]


def test_outputs_flow_from_what_was_made_to_what_needs_it() -> None:
    api = FakeApi()
    net, sub = kind("net"), kind("sub")
    wanted = [thing("s", {"size": Output("net/n", "id", "number {}")}, of=sub), thing("n", of=net)]
    run(api, wanted)
    assert api.things[("subs", "s")]["size"] == "number 1"
    assert run(api, wanted).done == []


def test_immutable_drift_names_field_both_values_and_the_way_out() -> None:
    api = FakeApi()
    run(api, [thing("a", {"network": "x"})])
    with pytest.raises(PlatformError) as caught:
        run(api, [thing("a", {"network": "y"})])
    for part in ("thing a", "network: x -> y", "Choose another network."):
        assert part in str(caught.value)
    assert api.things[("things", "a")]["network"] == "x"


def test_a_stale_fingerprint_is_read_again_and_planned_again_once() -> None:
    api = FakeApi()
    run(api, [thing("a", {"size": 1})])
    api.faults["things.patch"] = [PlatformError("stale", code=412, reason="conditionNotMet")]
    assert run(api, [thing("a", {"size": 2})]).done == ["update thing a: size: 1 -> 2"]
    api.faults["things.patch"] = [PlatformError("stale", code=412, reason="conditionNotMet")] * 2
    with pytest.raises(PlatformError, match="stale"):
        run(api, [thing("a", {"size": 3})])


def test_what_somebody_else_made_meanwhile_is_adopted() -> None:
    api = FakeApi()
    executor = Executor(api, patience())
    plan = executor.plan([thing("a", {"size": 2})])
    api.things[("things", "a")] = {"name": "a", "size": 1, "fingerprint": "f", "id": "9"}
    executor.apply(plan)
    assert api.things[("things", "a")]["size"] == 2


def test_an_operation_in_flight_is_adopted_and_waited_for() -> None:
    api = FakeApi()
    slow = kind(pending={"status": frozenset({"PROVISIONING"})})
    api.things[("things", "a")] = {"name": "a", "size": 1, "status": "PROVISIONING", "fingerprint": "f"}
    reads = itertools.count()

    def ripen(key: tuple[str, str]) -> None:
        if next(reads) == 3:
            api.things[key]["status"] = "RUNNING"

    api.on_get = ripen
    assert run(api, [thing("a", {"size": 2}, of=slow)]).done == ["update thing a: size: 1 -> 2"]


def test_without_waiting_the_operation_is_left_running() -> None:
    api = FakeApi(slow=100)
    executor = run(api, [thing("a", {"size": 1}, wait=False)])
    assert executor.done == ["create thing a"]


def test_every_wait_ends_and_tells_the_last_state() -> None:
    api = FakeApi(slow=10**6)
    with pytest.raises(
        PlatformError, match=r"wait for thing a: not finished after .* s; its last state was insert RUN"
    ):
        run(api, [thing("a")], seconds=30)


def test_progress_is_told_while_waiting() -> None:
    said: list[str] = []
    executor = Executor(FakeApi(slow=60), patience(600, said))
    executor.apply(executor.plan([thing("a")]))
    assert said
    assert said[0].startswith("thing a: insert RUNNING")


def test_an_operation_that_fails_says_why_and_on_what() -> None:
    api = FakeApi()
    api.operation_error = {"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "message": "is already being used by 'f'"}
    with pytest.raises(PlatformError) as caught:
        run(api, [thing("a")])
    assert "Failed to create thing a: is already being used by 'f'" in str(caught.value)
    assert "detach" in str(caught.value)


def test_a_failure_stops_what_depends_on_it_and_tells_what_was_done() -> None:
    api = FakeApi()
    net, sub = kind("net"), kind("sub")
    api.faults["subs.insert"] = [PlatformError("no", code=403, reason="forbidden")]
    first = thing("n", of=net)
    second = thing("s", {"ref": first.link}, of=sub)
    third = thing("t", {"ref": second.link})
    with pytest.raises(PlatformError, match=r"create sub s: no .*Done before it: create net n"):
        run(api, [third, second, first])
    assert ("things.insert", "t") not in api.calls


def test_what_google_gave_up_on_is_refused_with_its_reason() -> None:
    api = FakeApi()
    fragile = kind(failed={"status": frozenset({"ERROR"})})
    api.things[("things", "a")] = {"name": "a", "status": "ERROR", "statusMessage": "no quota", "fingerprint": "f"}
    with pytest.raises(PlatformError, match="use thing a: Google gave up on it: no quota"):
        run(api, [thing("a", {"size": 1}, of=fragile)])
    with pytest.raises(PlatformError, match="Google gave up on it"):
        Executor(api, patience()).plan([thing("a", {"size": 1}, of=fragile)])  # check mode says so, too
    seen = {"thing/a": api.things[("things", "a")]}
    (row,) = make_plan([thing("a", of=fragile)], seen, refuse=False).drift()  # and so does the status
    assert (row["google"], row["wanted"], row["mutable"]) == ("ERROR", "ready", False)
    assert run(api, [thing("a", of=fragile)], absent=True).done == ["delete thing a"]


def test_what_is_at_work_shows_what_will_change_then() -> None:
    working = kind(pending={"status": frozenset({"MAKING", "WORKING"})}, busy=frozenset({"WORKING"}))
    wanted = [thing("a", {"size": 2}, of=working)]

    def plan(status: str) -> Plan:
        return make_plan(wanted, {"thing/a": {"name": "a", "size": 1, "status": status}})

    assert plan("WORKING").lines() == ["update thing a: size: 1 -> 2"]
    assert plan("WORKING").changed
    assert [row["field"] for row in plan("WORKING").drift()] == ["size"]
    assert not plan("MAKING").changed
    fixed = [thing("a", {"network": "b"}, of=working)]
    with pytest.raises(PlatformError, match="cannot change"):
        make_plan(fixed, {"thing/a": {"name": "a", "network": "a", "status": "WORKING"}})


def test_what_google_is_only_at_work_on_differs_in_nothing() -> None:
    """A watch of the status is not to be alarmed by an upgrade that Google does by itself."""
    working = kind(pending={"status": frozenset({"MAKING", "WORKING"})}, busy=frozenset({"WORKING"}))

    def rows(status: str) -> list[tuple[str, str]]:
        have = {"name": "a", "size": 1, "status": status}
        plan = make_plan([thing("a", {"size": 1}, of=working)], {"thing/a": have}, refuse=False)
        return [(row["google"], row["wanted"]) for row in plan.drift()]

    assert rows("WORKING") == []
    assert rows("MAKING") == [("MAKING", "ready")]


@pytest.mark.parametrize(
    ("of", "have", "rows"),
    [
        (CLUSTER, {"status": "RECONCILING"}, 0),
        (CLUSTER, {"status": "PROVISIONING"}, 1),
        (NODE_POOL, {"status": "RECONCILING"}, 0),
        (SQL_INSTANCE, {"state": "MAINTENANCE"}, 0),
        (SQL_INSTANCE, {"state": "PENDING_CREATE"}, 1),
    ],
)
def test_googles_own_work_on_cluster_pool_and_database_is_no_difference(
    of: RestKind, have: dict[str, Any], rows: int
) -> None:
    resource = Resource(of, "a", {}, {"project": "p", "location": "l", "cluster": "c"})
    assert len(make_plan([resource], {resource.key: have}, refuse=False).drift()) == rows


def test_deleting_what_is_gone_is_no_error() -> None:
    api = FakeApi()
    executor = Executor(api, patience())
    run(api, [thing("a")])
    plan = executor.plan([thing("a")], absent=True)
    del api.things[("things", "a")]
    executor.apply(plan)
    assert executor.seen["thing/a"] is None


def test_a_circle_is_refused() -> None:
    one, two = thing("a", after=("thing/b",)), thing("b", after=("thing/a",))
    with pytest.raises(PlatformError, match="circle"):
        dependencies([one, two])


def test_where_nothing_is_carried_out_a_disabled_api_has_nothing() -> None:
    class Disabled(FakeApi):
        def get(self, service: str, method: str, params: Any) -> dict[str, Any] | None:
            raise PlatformError("disabled", code=403, reason="SERVICE_DISABLED")

    plan = Executor(Disabled(), patience(), look_only=True).plan([thing("a", {"size": 1})])
    assert plan.lines() == ["create thing a"]
    with pytest.raises(PlatformError, match="read thing a"):
        Executor(Disabled(), patience()).plan([thing("a", {"size": 1})])


def test_an_update_that_makes_one_change_a_call_is_called_until_nothing_drifts() -> None:
    class OneByOne(RestKind):
        def update(self, api: Any, resource: Any, spec: Any, have: Any, name: str, drifts: Any) -> Any:
            ranges = [*have.get("ranges", []), next(r for r in spec["ranges"] if r not in have.get("ranges", []))]
            return api.call("compute", "things.patch", {"name": resource.name}, {"ranges": ranges})

    shape = kind()
    slow = OneByOne(**{**{f.name: getattr(shape, f.name) for f in fields(shape)}, "repeats": frozenset({"patch"})})
    api = FakeApi()
    run(api, [thing("a", {"ranges": ["x"]}, of=slow)])
    assert len(run(api, [thing("a", {"ranges": ["x", "y", "z"]}, of=slow)]).done) == 1
    assert api.things[("things", "a")]["ranges"] == ["x", "y", "z"]


def test_secrets_are_in_no_diff_and_no_line() -> None:
    api = FakeApi()
    run(api, [thing("a", {"password": "old-secret"})])
    plan = Executor(api, patience()).plan([thing("a", {"password": "new-secret"})])
    text = repr(plan.differences()) + repr(plan.lines())
    assert "secret" not in text
    assert plan.changed


def test_the_diff_shows_fields_before_and_after_with_short_references() -> None:
    have: dict[str, Any] = {
        "ref": "https://www.googleapis.com/compute/v1/projects/p/global/nets/n",
        "size": 1,
        "id": "5",
    }
    wanted = thing("a", {"ref": "projects/p/global/nets/n", "size": 2})
    (entry,) = make_plan([wanted], {wanted.key: have}).differences()
    assert entry["before"] == "ref: projects/p/global/nets/n\nsize: 1\n"
    assert entry["after"] == "ref: projects/p/global/nets/n\nsize: 2\n"


specs = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "ranges": st.lists(st.sampled_from("abc"), unique=True),
        "labels": st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
        "ports": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("ab"), "port": st.integers(1, 3)}),
            unique_by=lambda item: item["name"],
        ),
    },
)


@settings(max_examples=60, deadline=None)
@given(specs, specs)
def test_after_apply_the_plan_is_empty_and_unset_fields_are_untouched(
    first: dict[str, Any], then: dict[str, Any]
) -> None:
    api = FakeApi()
    run(api, [thing("a", first)])
    kept = {key: value for key, value in api.things[("things", "a")].items() if key not in then}
    run(api, [thing("a", then)])
    assert not Executor(api, patience()).plan([thing("a", then)]).changed
    now = api.things[("things", "a")]
    assert {key: now.get(key) for key in kept if key != "fingerprint"} == {
        key: value for key, value in kept.items() if key != "fingerprint"
    }


def test_drift_tells_each_field_of_everything_that_differs() -> None:
    api = FakeApi()
    run(api, [thing("a", {"size": 1, "network": "n", "password": "old"}), thing("c", {"size": 1})])
    wanted = [thing("a", {"size": 2, "network": "m", "password": "new"}), thing("b", {"size": 1})]
    wanted.append(thing("c", unwanted=True))
    rows = Executor(api, patience()).plan(wanted, refuse=False).drift()
    assert sorted(tuple(row.values()) for row in rows) == [
        ("thing a", "network", "n", "m", False),
        ("thing a", "password", "(not shown)", "(not shown)", True),
        ("thing a", "size", "1", "2", True),
        ("thing b", "", "missing", "present", True),
        ("thing c", "", "present", "missing", True),
    ]


def test_of_keyed_objects_a_line_shows_only_what_differs() -> None:
    api = FakeApi()
    run(api, [thing("a", {"ports": [{"name": "x", "port": 1, "on": True}, {"name": "y", "port": 2}]})])
    wanted = [thing("a", {"ports": [{"name": "x", "port": 3, "on": True}, {"name": "y", "port": 2}]})]
    assert run(api, wanted).done == ["update thing a: ports: [{name: x, port: 1}] -> [{name: x, port: 3}]"]


def test_what_is_unwanted_is_removed_and_only_that() -> None:
    api = FakeApi()
    run(api, [thing("a", {"size": 1}), thing("b", {"size": 1})])
    assert run(api, [thing("a", {"size": 1}), thing("b", unwanted=True)]).done == ["delete thing b"]
    assert run(api, [thing("a", {"size": 1}), thing("b", unwanted=True)]).done == []
