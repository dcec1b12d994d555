"""One healthy day, made up: all that the exporters and the application tell of it. Nobody is to be woken by it."""

from collections.abc import Callable

from tests.rules.samples import (
    SAMPLES,
    STEP,
    WHOLE_DAY,
    Values,
    at,
    counter,
    during,
    flat,
    joined,
    minutes,
)

# Requests that each of two backends gets in 15 seconds, by hour; 0 stands for one in a minute.
REQUESTS = [0, 0, 0, 0, 0, 0, 3, 8, 15, 30, 30, 30, 45, 45, 30, 30, 30, 30, 30, 30, 20, 15, 8, 3, 3]
GENERATIONS_AN_HOUR = [6, 4, 4, 4, 4, 4, 8, 15, 30, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 40, 30, 15, 8, 8]
DEPLOYS = ("10:00", "16:30")
# When each Alertmanager is replaced.
ROLLOUT = [at("11:00"), at("11:02"), at("11:04")]
APPLICATION = "$application"


def requests(sample: int) -> int:
    return REQUESTS[sample * STEP // 3600] or int(sample % 4 == 0)


def generations(sample: int) -> int:
    return int(sample % (3600 // STEP // GENERATIONS_AN_HOUR[sample * STEP // 3600]) == 0)


def per_mille(of: Values, share: int) -> Values:
    return [None if value is None else value * share // 1000 for value in of]


class Day:
    """All series of the day, by name and labels."""

    def __init__(self) -> None:
        self.series: dict[str, Values] = {}
        self._backends()
        self._worker()
        self._finished_job()
        self._stores()
        self._nodes()
        self._volumes()
        self._prometheus()
        self._remote_write()
        self._backups()
        self._elasticsearch()
        self._alertmanagers()
        self._collectors()
        self._queries()

    def _add(self, metric: str, labels: dict[str, str], values: Values, span: range = WHOLE_DAY) -> None:
        """Add a series that has values in a span only."""
        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
        self.series[f"{metric}{{{text}}}"] = during(values, span)

    def _add_kube(self, metric: str, labels: dict[str, str], values: Values, span: range = WHOLE_DAY) -> None:
        """Add what kube-state-metrics tells. It is replaced at 15:00, and for a minute nobody tells."""
        for instance, told in {"a:8080": range(at("15:00")), "b:8080": range(at("15:01"), SAMPLES)}.items():
            self._add(metric, {**labels, "job": "kube-state-metrics", "instance": instance}, during(values, told), span)

    def _add_pod(self, pod: str, container: str, span: range, unready: range, restart: int = SAMPLES) -> None:
        """Add what is told of a pod: pending for its first sample, and with one restart of its container."""
        own = {"namespace": APPLICATION, "pod": pod}
        pending = range(span.start, span.start + (span.start > 0))
        self._add_kube("kube_pod_status_phase", own | {"phase": "Pending"}, flat(0, {pending: 1}), span)
        self._add_kube("kube_pod_status_phase", own | {"phase": "Running"}, flat(1, {pending: 0}), span)
        self._add_kube("kube_pod_status_ready", own | {"condition": "true"}, flat(1, {unready: 0}), span)
        self._add_kube("kube_pod_status_ready", own | {"condition": "false"}, flat(0, {unready: 1}), span)
        restarts = flat(0, {range(restart, SAMPLES): 1})
        self._add_kube("kube_pod_container_status_restarts_total", own | {"container": container}, restarts, span)

    def _add_usage(self, pod: str, container: str, memory: Values, cpu: Values, limits: dict[str, int]) -> None:
        """Add what cAdvisor tells of a container and of its pod's cgroup, and the limits where it has any."""
        of_pod = {"namespace": APPLICATION, "pod": pod}
        of_container = of_pod | {"container": container}
        for labels in (of_pod, of_container):
            self._add("container_memory_working_set_bytes", labels, memory)
            self._add("container_cpu_usage_seconds_total", labels | {"cpu": "total"}, cpu)
        for resource, limit in limits.items():
            values = [value and limit for value in memory]
            self._add_kube("kube_pod_container_resource_limits", of_container | {"resource": resource}, values)

    def _backends(self) -> None:
        """Two, each replaced in each deploy; a thousandth of all requests fails, and one in the middle of the night."""
        for replica in range(2):
            starts = [at(clock) + replica * 8 for clock in DEPLOYS]
            ends = [start + 4 for start in starts]
            for version, span in enumerate(map(range, [0, *starts], [*ends, SAMPLES])):
                starting = range(span.start, span.start + 3) if version else range(0)
                pod = f"backend-{version}-{replica}"
                self._add_pod(pod, "backend", span, starting)
                own = {"namespace": APPLICATION, "pod": pod, "job": "mangakai-backend", "instance": f"{pod}:8001"}
                self._add("up", own, flat(1, {starting: 0}), span)
                served = counter(requests, range(starting.stop, span.stop))
                failed = per_mille(served, 1)
                if version == 0:
                    failed = [value if value is None else value + (n >= at("3:10")) for n, value in enumerate(failed)]
                self._add("http_requests_total", own | {"status": "200"}, served)
                self._add("http_requests_total", own | {"status": "500"}, failed)
                for le, share in {"0.5": 900, "1": 970, "2.5": 995, "+Inf": 1000}.items():
                    self._add("http_request_duration_seconds_bucket", own | {"le": le}, per_mille(served, share))
                memory = during([600 + number % 260 for number in WHOLE_DAY], span)
                cpu = counter(lambda number: 14 if number in minutes("13:00", 5) else 5, span)
                self._add_usage(pod, "backend", memory, cpu, {"memory": 1000, "cpu": 1})

    def _worker(self) -> None:
        """One without limits, whose process dies once, with one sighting of its back-off; peaks of the queue."""
        crash = at("13:10")
        down = range(crash, crash + 4)
        container = {"namespace": APPLICATION, "pod": "worker-0", "container": "worker"}
        self._add_pod("worker-0", "worker", WHOLE_DAY, down, crash)
        back_off = container | {"reason": "CrashLoopBackOff"}
        self._add_kube("kube_pod_container_status_waiting_reason", back_off, flat(1), down[1:2])
        error = container | {"reason": "Error"}
        self._add_kube("kube_pod_container_status_last_terminated_reason", error, flat(1), range(crash, SAMPLES))
        self._add_usage("worker-0", "worker", flat(9000), counter(lambda _: 60), {})
        own = {"namespace": APPLICATION, "pod": "worker-0", "job": "kubernetes-pods", "instance": "worker-0:8001"}
        self._add("up", own, flat(1, {down: 0}))
        self._add("celery_workers", own, flat(1, {down: 0}))
        self._add("celery_workers", {"namespace": APPLICATION, "pod": "backend-a", "job": "mangakai-backend"}, flat(0))
        # At night a rare task fails, and so does its only retry.
        failures = (at("2:00"), at("2:00") + 2)
        runs: dict[tuple[str, str], Callable[[int], int]] = {
            ("generate", "SUCCESS"): generations,
            ("generate", "FAILURE"): lambda number: int(number % 960 == 959),
            ("cleanup", "SUCCESS"): lambda number: int(number % 240 == 200),
            ("cleanup", "FAILURE"): lambda number: int(number in failures),
        }
        for (task, status), increment in runs.items():
            counted = joined(counter(increment, range(crash)), counter(increment, range(down.stop, SAMPLES)))
            self._add("celery_task_total", own | {"task_name": task, "status": status}, counted)
            if task == "generate":
                self._add("manga_generation_total", own | {"status": status.lower()}, counted)
        peaks = flat(3, {minutes("9:00", 10): 95, minutes("12:00", 3): 130})
        for pod in ("worker-0", "worker-1"):
            self._add("celery_queue_length", {"namespace": APPLICATION, "pod": pod, "queue": "default"}, peaks)

    def _finished_job(self) -> None:
        """A migration at 3:00, whose pod stays."""
        own = {"namespace": APPLICATION, "pod": "migrate-a"}
        span, runs = range(at("3:00"), SAMPLES), minutes("3:00", 2)
        self._add_kube("kube_pod_status_phase", own | {"phase": "Running"}, flat(0, {runs: 1}), span)
        self._add_kube("kube_pod_status_phase", own | {"phase": "Succeeded"}, flat(1, {runs: 0}), span)
        self._add_kube("kube_pod_status_ready", own | {"condition": "true"}, flat(0, {runs: 1}), span)
        self._add_kube("kube_pod_status_ready", own | {"condition": "false"}, flat(1, {runs: 0}), span)

    def _stores(self) -> None:
        """Redis without maxmemory, which one scrape misses; PostgreSQL with a short peak of connections; nginx."""
        redis = {"namespace": APPLICATION, "pod": "redis-0", "job": "redis", "instance": "redis-0:9121"}
        missed = range(at("5:00"), at("5:00") + 2)
        answered = joined(during(flat(1), range(missed.start)), during(flat(1), range(missed.stop, SAMPLES)))
        self._add("up", redis, flat(1, {missed: 0}))
        self._add("redis_up", redis, answered)
        self._add("redis_memory_used_bytes", redis, [value and 5_000_000_000 for value in answered])
        self._add("redis_memory_max_bytes", redis, [value and 0 for value in answered])
        postgres = {"namespace": APPLICATION, "pod": "postgres-exporter-a", "job": "postgres", "instance": "pg:9187"}
        self._add("up", postgres, flat(1))
        self._add("pg_up", postgres, flat(1))
        self._add("pg_settings_max_connections", postgres | {"server": "db:5432"}, flat(100))
        self._add("pg_settings_superuser_reserved_connections", postgres | {"server": "db:5432"}, flat(3))
        connections = flat(40, {minutes("12:00", 120): 70, minutes("12:30", 3): 84})
        self._add("pg_stat_database_numbackends", postgres | {"datname": "mangakai"}, connections)
        nginx = {"namespace": APPLICATION, "pod": "nginx-a", "job": "nginx", "instance": "nginx-a:9113"}
        self._add("up", nginx, flat(1))
        self._add("nginx_up", nginx, flat(1))

    def _nodes(self) -> None:
        """One 80 % full, which removes images when 86 % are reached at 18:00; one that another replaces at 4:00."""
        images = flat(200, {minutes("18:00", 10): 140, range(at("18:10"), SAMPLES): 300})
        nodes = {
            "n1": (images, WHOLE_DAY),
            "n2": (flat(500), range(at("4:00"))),
            "n3": (flat(700), range(at("4:03"), SAMPLES)),
        }
        for node, (free, span) in nodes.items():
            exporter = {"job": "node-exporter", "instance": f"{node}:9100", "node": node}
            first = range(span.start, span.start + 2 * (span.start > 0))
            self._add("up", exporter, flat(1, {first: 0}), span)
            self._add("up", {"job": "kubernetes-nodes", "instance": f"{node}:10250", "node": node}, flat(1), span)
            for fstype, mountpoint, available in [("xfs", "/", free), ("tmpfs", "/run", flat(10))]:
                disk = exporter | {"fstype": fstype, "mountpoint": mountpoint}
                self._add("node_filesystem_avail_bytes", disk, available, span)
                self._add("node_filesystem_size_bytes", disk, flat(1000), span)
                self._add("node_filesystem_readonly", disk, flat(0), span)

    def _volumes(self) -> None:
        """Elasticsearch's, and Prometheus' about 87 % full: every two hours it compacts, from 89 % down to 85 %."""
        sawtooth = [150 - number % 480 // 12 for number in WHOLE_DAY]
        for volume, free in {"prometheus-data": sawtooth, "elasticsearch-data": flat(400)}.items():
            labels = {
                "job": "kubernetes-nodes",
                "node": "n1",
                "namespace": "monitoring",
                "persistentvolumeclaim": volume,
            }
            self._add("kubelet_volume_stats_available_bytes", labels, free)
            self._add("kubelet_volume_stats_capacity_bytes", labels, flat(1000))
            self._add("kubelet_volume_stats_used_bytes", labels, [1000 - (value or 0) for value in free])

    def _prometheus(self) -> None:
        """Its own state, and what it sends to each Alertmanager, which refuses one alert when it is replaced."""
        own = {"job": "prometheus", "namespace": "monitoring", "pod": "prometheus-0", "instance": "prometheus-0:9090"}
        self._add("up", own, flat(1))
        self._add("prometheus_config_last_reload_successful", own, flat(1))
        for job, gone in {"kube-state-metrics": minutes("15:00", 1), "grafana": minutes("11:00", 3)}.items():
            found = flat(1, {gone: 0})
            self._add("prometheus_target_scrape_pool_targets", own | {"scrape_job": job}, found)
        self._add("prometheus_target_scrape_pool_targets", own | {"scrape_job": "prometheus"}, flat(1))
        self._add(
            "prometheus_rule_evaluation_failures_total", own | {"rule_group": "redis.yml;mangakai.redis"}, flat(0)
        )
        self._add("prometheus_notifications_alertmanagers_discovered", own, flat(3, {minutes("11:00", 6): 2}))
        for replica, replaced in enumerate(ROLLOUT):
            for version, span in enumerate((range(replaced + 2), range(replaced + 6, SAMPLES))):
                to = own | {"alertmanager": f"http://10.0.{version}.{replica}:9093/api/v2/alerts"}
                self._add("prometheus_notifications_sent_total", to, counter(lambda number: int(number % 5 == 0), span))
                refused = flat(0, {range(replaced, SAMPLES): 1} if version == 0 else {})
                self._add("prometheus_notifications_errors_total", to, refused, span)

    def _remote_write(self) -> None:
        """To a long-term store that is away for ten minutes, and refuses a batch when it is back."""
        own = {"job": "prometheus", "namespace": "monitoring", "pod": "prometheus-0", "instance": "prometheus-0:9090"}
        to = own | {"remote_name": "long-term", "url": "https://store.example.com/write"}
        away = minutes("20:00", 10)
        sent = [STEP * (away.start if number in away else number) for number in WHOLE_DAY]
        self._add("prometheus_remote_storage_queue_highest_sent_timestamp_seconds", to, sent)
        self._add("prometheus_remote_storage_samples_total", to, counter(lambda _: 50_000))
        refused = flat(0, {range(away.stop, SAMPLES): 2000})
        self._add("prometheus_remote_storage_samples_failed_total", to, refused)

    def _backups(self) -> None:
        """Each hour; Prometheus' newest block is up to three hours old, and one run of Grafana's fails."""
        for part, pod, objective in (("prometheus", "prometheus-0", 18000), ("grafana", "grafana-0", 7200)):
            own = {"job": "backup", "namespace": "monitoring", "pod": pod, "instance": f"{pod}:9112", "part": part}
            hours = [STEP * number // 3600 * 3600 for number in WHOLE_DAY]
            newest = [max(0, hour // 7200 * 7200 - 3600) if part == "prometheus" else hour for hour in hours]
            self._add("backup_newest_data_timestamp_seconds", own, newest)
            self._add("backup_objective_seconds", own, flat(objective))
            failed = flat(0, {minutes("15:00", 5): 1} if part == "grafana" else {})
            self._add("backup_failing", own, failed)
            self._add("backup_check_failing", own, flat(0))

    def _elasticsearch(self) -> None:
        """The nodes are replaced one after another: yellow for half an hour; a single one is away for two minutes."""
        for store, away, yellow in (
            ("logs", range(0), minutes("11:00", 30)),
            ("traces", minutes("11:00", 2), range(0)),
        ):
            own = {"job": "elasticsearch", "namespace": "monitoring", "elasticsearch": f"mangakai-{store}"}
            answers = own | {"collector": "cluster-info"}
            self._add("elasticsearch_scrape_success", answers, flat(1, {away: 0}))
            recovering = range(away.stop, away.stop + 8) if away else range(0)
            for color, when in {"red": recovering, "yellow": yellow}.items():
                health = [None if number in away else int(number in when) for number in WHOLE_DAY]
                self._add("elasticsearch_cluster_health_status", own | {"color": color}, health)

    def _alertmanagers(self) -> None:
        """Three, each alone for two samples after it was replaced, while the others see one less."""
        for replica, replaced in enumerate(ROLLOUT):
            others = {range(other + 1, other + 6): 2 for other in ROLLOUT if other != replaced}
            for version, span in enumerate((range(replaced), range(replaced + 4, SAMPLES))):
                own = {"job": "alertmanager", "namespace": "monitoring", "pod": f"alertmanager-{replica}"}
                own["instance"] = f"10.0.{version}.{replica}:9093"
                alone = {span[:2]: 1} if version else {}
                self._add("up", own, flat(1), span)
                self._add("alertmanager_config_last_reload_successful", own, flat(1), span)
                self._add("alertmanager_cluster_members", own, flat(3, others | alone), span)
                for integration in ("email", "slack", "webhook"):
                    sent = counter(lambda number: int(number % 20 == 0), span)
                    self._add("alertmanager_notifications_total", own | {"integration": integration}, sent)
                    self._add(
                        "alertmanager_notifications_failed_total", own | {"integration": integration}, flat(0), span
                    )

    def _collectors(self) -> None:
        """Two of Jaeger's, one replaced at 11:00, which save what a tenth of the requests bring."""
        for pod, span in {"a": range(at("11:00")), "b": range(at("11:01"), SAMPLES), "c": WHOLE_DAY}.items():
            own = {"job": "jaeger-collector", "namespace": "monitoring", "pod": f"collector-{pod}"}
            own["instance"] = f"{pod}:14269"
            self._add("up", own, flat(1), span)
            saved = counter(lambda number: requests(number) // 4, span)
            self._add("jaeger_collector_spans_saved_by_svc_total", own | {"result": "ok"}, saved)
            self._add("jaeger_collector_spans_saved_by_svc_total", own | {"result": "err"}, flat(0), span)

    def _queries(self) -> None:
        """Jaeger's, in which somebody looks every hour, half the time for a trace that was not sampled."""
        own = {"job": "jaeger-query", "namespace": "monitoring", "pod": "query-a", "instance": "query-a:16687"}
        self._add("up", own, flat(1))

        def one_in(samples: int) -> Callable[[int], int]:
            return lambda number: int(number % samples == 0)

        for operation, result, reads in (
            ("find_traces", "ok", counter(one_in(120))),
            ("find_traces", "err", flat(0)),
            ("get_trace", "ok", counter(one_in(240))),
            ("get_trace", "err", counter(one_in(240))),
        ):
            self._add("jaeger_storage_requests_total", own | {"operation": operation, "result": result}, reads)
