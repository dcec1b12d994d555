"""Which traces are sent that the sampler has not chosen, and how much waits for that."""

import contextlib
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

from mangakai_instrumentation import keeping
from mangakai_instrumentation.keeping import Keeping, Recording

SLOW_SECONDS = 2
REQUEST = {"http.request.method": "GET"}


class Traced:
    """A process with a sampler, and what it has sent."""

    def __init__(self, sampler: Sampler) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(Recording(sampler), shutdown_on_exit=False)
        self.keeping = Keeping(self.exporter, SLOW_SECONDS)
        self.provider.add_span_processor(self.keeping)
        self.tracer: Tracer = self.provider.get_tracer("tests")

    def sent(self) -> list[str]:
        """Return the names of the spans that were sent since they were asked for last."""
        self.provider.force_flush()
        found = [span.name for span in self.exporter.get_finished_spans()]
        self.exporter.clear()
        return found

    def request(self, *children: str, status: StatusCode = StatusCode.UNSET, seconds: float = 0) -> SpanContext:
        """Make the spans of a request, and return the context of its root."""
        with self.root(seconds) as root:
            for name in children:
                self.tracer.start_span(name).end()
            root.set_status(Status(status))
        return root.get_span_context()

    @contextlib.contextmanager
    def root(self, seconds: float = 0) -> Iterator[Span]:
        """Make the root of a request that took so long already."""
        span = self.tracer.start_span("root", kind=SpanKind.SERVER, attributes=REQUEST)
        if seconds:
            span._start_time -= int(seconds * 1e9)  # type: ignore[attr-defined]
        with trace.use_span(span, end_on_exit=True):
            yield span


@pytest.fixture
def unsampled() -> Iterator[Traced]:
    traced = Traced(ParentBased(ALWAYS_OFF))
    yield traced
    traced.provider.shutdown()


class TestKept:
    """What is sent."""

    def test_what_failed_is_sent_whole(self, unsampled: Traced) -> None:
        context = unsampled.request("select", "draw", status=StatusCode.ERROR)
        assert not context.trace_flags.sampled
        assert unsampled.sent() == ["select", "draw", "root"]

    def test_what_went_well_is_not_sent(self, unsampled: Traced) -> None:
        unsampled.request("select")
        assert unsampled.sent() == []

    def test_it_is_sent_as_what_is_sampled(self, unsampled: Traced) -> None:
        unsampled.request("select", status=StatusCode.ERROR)
        unsampled.provider.force_flush()
        spans = unsampled.exporter.get_finished_spans()
        assert all(span.context and span.context.trace_flags.sampled for span in spans)
        assert len({span.context.trace_id for span in spans if span.context}) == 1

    @pytest.mark.parametrize(("seconds", "is_sent"), [(1.9, False), (2.1, True)])
    def test_a_slow_request_is_sent(self, unsampled: Traced, seconds: float, is_sent: bool) -> None:
        unsampled.request("select", seconds=seconds)
        assert unsampled.sent() == (["select", "root"] if is_sent else [])

    def test_a_slow_task_is_not(self, unsampled: Traced) -> None:
        span = unsampled.tracer.start_span("run/draw", kind=SpanKind.CONSUMER, start_time=1)
        span.end()
        assert unsampled.sent() == []

    def test_a_part_that_failed_is_not_a_request_that_failed(self, unsampled: Traced) -> None:
        with unsampled.root(), unsampled.tracer.start_as_current_span("select") as part:
            part.set_status(StatusCode.ERROR)
        assert unsampled.sent() == []

    def test_whoever_asks_from_elsewhere_is_a_local_root(self, unsampled: Traced) -> None:
        asking = trace.set_span_in_context(NonRecordingSpan(SpanContext(7, 8, is_remote=True)))
        for status in (StatusCode.UNSET, StatusCode.ERROR):
            span = unsampled.tracer.start_span("root", asking)
            span.set_status(status)
            span.end()
        assert unsampled.sent() == ["root"]

    def test_what_ends_after_its_root_is_sent_too(self, unsampled: Traced) -> None:
        with unsampled.root() as root:
            late = unsampled.tracer.start_span("mail")
            root.set_status(StatusCode.ERROR)
        late.end()
        assert unsampled.sent() == ["root", "mail"]

    def test_an_error_in_its_lines_keeps_it(self, unsampled: Traced) -> None:
        with unsampled.root() as root:
            context = root.get_span_context()
            unsampled.tracer.start_span("select").end()
            assert unsampled.keeping.is_kept(context, is_error=False) is None
            assert unsampled.keeping.is_kept(context, is_error=True) is True
        assert unsampled.sent() == ["select", "root"]

    def test_it_is_known_afterwards_what_was_kept(self, unsampled: Traced) -> None:
        for status in (StatusCode.UNSET, StatusCode.ERROR):
            context = unsampled.request(status=status)
            assert unsampled.keeping.is_kept(context, is_error=True) is (status is StatusCode.ERROR)

    def test_what_is_sampled_is_sent_once_and_at_once(self) -> None:
        traced = Traced(TraceIdRatioBased(1))
        with traced.root() as root:
            traced.tracer.start_span("select").end()
            assert traced.sent() == ["select"]
            assert traced.keeping.is_kept(root.get_span_context(), is_error=False) is True
            root.set_status(StatusCode.ERROR)
        assert traced.sent() == ["root"]
        traced.provider.shutdown()

    def test_the_share_of_the_sampler_stays(self) -> None:
        traced = Traced(ParentBased(TraceIdRatioBased(0.1)))
        contexts = [traced.request() for _ in range(1000)]
        assert len(traced.sent()) == sum(context.trace_flags.sampled for context in contexts)
        traced.provider.shutdown()


class TestBounded:
    """What waits."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "MOST_SPANS", 20)
        monkeypatch.setattr(keeping, "MOST_SPANS_OF_A_TRACE", 8)
        monkeypatch.setattr(keeping, "MOST_TRACES", 10)

    def test_nothing_waits_after_the_end(self, unsampled: Traced) -> None:
        for status in (StatusCode.UNSET, StatusCode.ERROR):
            unsampled.request("select", "draw", status=status)
        assert (unsampled.keeping._open, unsampled.keeping._waiting) == ({}, 0)

    def test_of_a_trace_with_more_spans_the_first_and_the_root_are_sent(self, unsampled: Traced) -> None:
        unsampled.request(*(f"select {number}" for number in range(50)), status=StatusCode.ERROR)
        assert unsampled.sent() == [*(f"select {number}" for number in range(8)), "root"]

    def test_the_oldest_is_let_go(self, unsampled: Traced) -> None:
        roots = [unsampled.tracer.start_span(f"root {number}") for number in range(5)]
        for root in roots:
            for _ in range(8):
                with trace.use_span(root):
                    unsampled.tracer.start_span("select").end()
        assert unsampled.keeping._waiting <= 20
        for root in roots:
            root.set_status(StatusCode.ERROR)
            root.end()
        sent = unsampled.sent()
        assert [name for name in sent if name != "select"] == [f"root {number}" for number in range(5)]
        assert unsampled.keeping._waiting == 0

    def test_roots_that_never_end_are_let_go(self, unsampled: Traced) -> None:
        left = [unsampled.tracer.start_span("root") for _ in range(1000)]
        assert len(unsampled.keeping._open) == 10
        unsampled.request("select", status=StatusCode.ERROR)
        assert unsampled.sent() == ["select", "root"]
        for root in left:
            root.end()
        assert unsampled.keeping._waiting == 0

    def test_it_is_not_remembered_for_ever_what_was_kept(self, unsampled: Traced) -> None:
        contexts = [unsampled.request(status=StatusCode.ERROR) for _ in range(100)]
        assert [unsampled.keeping.is_kept(each, is_error=False) for each in contexts] == [False] * 90 + [True] * 10

    def test_threads_lose_nothing(self, unsampled: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "MOST_SPANS", 10_000)
        monkeypatch.setattr(keeping, "MOST_TRACES", 10_000)

        def ask() -> None:
            for number in range(200):
                unsampled.request("select", status=StatusCode.UNSET if number % 2 else StatusCode.ERROR)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent = unsampled.sent()
        assert (sent.count("root"), sent.count("select")) == (400, 400)
        assert (unsampled.keeping._open, unsampled.keeping._waiting) == ({}, 0)


def test_a_process_that_is_forked_begins_anew(unsampled: Traced) -> None:
    with unsampled.root():
        unsampled.tracer.start_span("select").end()
        unsampled.keeping._forget()
        assert (unsampled.keeping._open, unsampled.keeping._waiting) == ({}, 0)
    assert unsampled.sent() == []
