"""What waits in other queues than those of the generation is no manga that was asked for."""

from pathlib import Path

import pytest

from components.metrics import alert_rules
from components.settings.alerts import AlertsSettings
from components.settings.application import ApplicationSettings
from tests.rules import promtool


@pytest.mark.usefixtures("_tools")
@pytest.mark.parametrize(
    ("generation", "waiting", "fires"),
    [
        ([], "thumbnails", True),
        (["default", "pages.hd"], "thumbnails", False),
        (["default", "pages.hd"], "pages-hd", False),
        (["default", "pages.hd"], "pages.hd", True),
    ],
)
def test_only_the_queues_of_the_generation_count(
    tmp_path: Path, generation: list[str], waiting: str, fires: bool
) -> None:
    application = ApplicationSettings.model_validate({"namespace": "shop", "generationQueues": generation})
    rules = tmp_path / "rules.yml"
    rules.write_text(alert_rules.render(AlertsSettings(), application)["business.yml"])
    fired = {
        "expr": 'count(ALERTS{alertname="LowMangaGenerationRate",alertstate="firing"}) or vector(0)',
        "eval_time": "1h",
        "exp_samples": [{"labels": "{}", "value": int(fires)}],
    }
    series = {"series": f'celery_queue_length{{namespace="shop",pod="worker-a",queue="{waiting}"}}', "values": "40x60"}
    test = {"interval": "1m", "input_series": [series], "promql_expr_test": [fired]}
    done = promtool.run(tmp_path, rules, [{"rule_files": [], "evaluation_interval": "1m", "tests": [test]}])
    assert done.returncode == 0, done.stdout + done.stderr
