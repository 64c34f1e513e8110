#!/usr/bin/env python3
"""Writes overview.json and models.json, Grafana's classic format (schema 39, importable everywhere).

    python3 dashboards/make.py

Every panel has a title, a description, a unit and queries that a test runs against a real Prometheus
(`cargo test --test real dashboards`). Change the panels here, not the JSON.
"""
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24


def variable(name, label, metric, key):
    query = f"label_values({metric}, {key})"
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
        "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
        "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "hide": 0, "regex": "", "options": [],
        "skipUrlSync": False,
    }


def target(expr, legend, instant, ref):
    return {
        "refId": ref, "expr": expr, "legendFormat": legend, "datasource": SOURCE, "editorMode": "code",
        "range": not instant, "instant": instant, "format": "table" if instant == "table" else "time_series",
    }


def panel(kind, title, description, unit, queries, width=8, height=7, thresholds=None, **field):
    steps = [{"color": "green", "value": None}] + [{"color": c, "value": v} for v, c in thresholds or []]
    table = kind == "table"
    instant = kind in ("stat", "bargauge", "table")
    made = {
        "type": kind, "title": title, "description": description, "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [
            target(expr, legend, ("table" if table else instant), chr(ord("A") + at))
            for at, (expr, legend) in enumerate(queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": unit, "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": steps}, "mappings": [], **field,
            },
            "overrides": [],
        },
        "options": {},
    }
    if kind == "timeseries":
        made["options"] = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
        made["fieldConfig"]["defaults"]["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}
    if kind in ("stat", "bargauge"):
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if table:
        made["transformations"] = [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True, "instance": True, "job": True}}},
        ]
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": WIDTH, "h": 1}}


def dashboard(uid, title, description, variables, panels):
    x = y = tallest = 0
    for number, made in enumerate(panels, 1):
        place = made["gridPos"]
        if x + place["w"] > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        place["x"], place["y"] = x, y
        x, tallest = x + place["w"], max(tallest, place["h"])
        made["id"] = number
    source = {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0, "regex": "",
        "refresh": 1, "multi": False, "includeAll": False, "options": [], "skipUrlSync": False,
        "current": {"text": "default", "value": "default"},
    }
    return {
        "uid": uid, "title": title, "description": description, "tags": ["plumbline"], "schemaVersion": 39, "version": 1,
        "editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, *variables]}, "annotations": {"list": []}, "panels": panels,
        "links": [{
            "type": "dashboards", "tags": ["plumbline"], "title": "plumbline", "asDropdown": True, "includeVars": False,
            "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
        }],
    }


NODE = 'instance=~"$instance"'
CONTAINER = f'{NODE}, container_name=~"$container"'
MODEL = f'{NODE}, model=~"$model"'

overview = dashboard(
    "plumbline-overview", "plumbline / Overview",
    "Containers and GPUs: what they use of what they ask for, what that costs, and what fires.",
    [
        variable("instance", "Node", "plumbline_collector_up", "instance"),
        variable("container", "Container", "container_cpu_usage", "container_name"),
    ],
    [
        row("In short"),
        panel("stat", "Alerts firing", "Alerts of plumbline's own rules that fire now.", "none",
              [(f'sum(plumbline_alert_active{{{NODE}, state="firing"}}) or vector(0)', "firing")], 6, 4, [(1, "orange")]),
        panel("stat", "Could be saved a month", "What following every recommendation that saves something would save, at the configured prices.",
              "none", [(f"sum(plumbline_recommendation_saving{{{NODE}}} > 0) or vector(0)", "saving")], 6, 4, [(1, "orange")], decimals=2),
        panel("stat", "Under-provisioned", "Containers that request less CPU or memory than they need.", "none",
              [(f"count(max by (container_id) (plumbline_recommendation_under_provisioned{{{NODE}}}) == 1) or vector(0)", "containers")],
              6, 4, [(1, "red")]),
        panel("stat", "Models that drift", "Models whose verdict is drift.", "none",
              [(f"sum(plumbline_model_drift{{{NODE}}}) or vector(0)", "models")], 6, 4, [(1, "orange")]),
        row("Containers"),
        panel("timeseries", "CPU used", "Cores used over the last full tick.", "short",
              [(f"container_cpu_usage{{{CONTAINER}}}", "{{container_name}}")]),
        panel("timeseries", "CPU used of the limit", "Share of the CPU limit that is used; containers without a limit are left out.", "percentunit",
              [(f"container_cpu_usage{{{CONTAINER}}} / plumbline_container_cpu_limit{{{CONTAINER}}}", "{{container_name}}")]),
        panel("timeseries", "Throttled periods", "Share of CPU enforcement periods in which the container was throttled.", "percentunit",
              [(f"rate(plumbline_container_cpu_throttled_periods_total{{{CONTAINER}}}[$__rate_interval]) / "
                f"(rate(plumbline_container_cpu_periods_total{{{CONTAINER}}}[$__rate_interval]) > 0)", "{{container_name}}")]),
        panel("timeseries", "Memory, working set", "Memory that the kernel cannot easily take back.", "bytes",
              [(f"container_memory_working_set_bytes{{{CONTAINER}}}", "{{container_name}}")]),
        panel("timeseries", "Memory used of the limit", "Share of the memory limit that the working set takes.", "percentunit",
              [(f"container_memory_working_set_bytes{{{CONTAINER}}} / plumbline_container_memory_limit_bytes{{{CONTAINER}}}", "{{container_name}}")]),
        panel("timeseries", "OOM kills", "Processes killed for want of memory, in each interval.", "none",
              [(f"increase(plumbline_container_memory_oom_kills_total{{{CONTAINER}}}[$__rate_interval])", "{{container_name}}")]),
        panel("timeseries", "Network received", "Bytes a second into the container's network namespace.", "Bps",
              [(f'sum by (container_name) (rate(container_network_io_bytes_total{{{CONTAINER}, network_io_direction="receive"}}[$__rate_interval]))',
                "{{container_name}}")]),
        panel("timeseries", "Stalled for want of CPU, memory or I/O", "Share of time in which some task waited (pressure stall information).", "percentunit",
              [(f'rate(plumbline_container_pressure_time_seconds_total{{{CONTAINER}, plumbline_pressure_kind="some"}}[$__rate_interval])',
                "{{container_name}} {{plumbline_pressure_resource}}")]),
        panel("timeseries", "Cost a month", "What each container costs in a month at the configured prices.", "none",
              [(f"plumbline_container_cost{{{CONTAINER}}}", "{{container_name}}")], decimals=2),
        row("Recommendations"),
        panel("table", "What to ask for", "Cores and bytes by the history, and what following them saves in a month.", "none",
              [(f"sum by (container_name) (plumbline_recommendation_cpu{{{CONTAINER}}})", ""),
               (f"sum by (container_name) (plumbline_recommendation_memory_bytes{{{CONTAINER}}})", ""),
               (f"sum by (container_name) (plumbline_recommendation_saving{{{CONTAINER}}})", "")], 24, 8),
        row("GPUs"),
        panel("timeseries", "GPU utilization", "Share of time in which a kernel ran.", "percentunit",
              [(f"hw_gpu_utilization_ratio{{{NODE}}}", "{{hw_name}} {{instance}}")]),
        panel("timeseries", "GPU memory in use", "Share of the GPU's memory in use.", "percentunit",
              [(f"hw_gpu_memory_utilization_ratio{{{NODE}}}", "{{hw_name}} {{instance}}")]),
        panel("timeseries", "GPU power", "Power that the device draws.", "watt", [(f"hw_power_watts{{{NODE}}}", "{{hw_name}} {{instance}}")]),
        panel("timeseries", "GPUs by state", "Active computes; held idle has memory resident and computes nothing; free is held by nobody.", "none",
              [(f"sum by (state) (plumbline_gpu_state{{{NODE}}})", "{{state}}")]),
        panel("timeseries", "GPU memory by container", "GPU memory held by each container's processes.", "bytes",
              [(f"plumbline_container_gpu_memory_usage_bytes{{{CONTAINER}}}", "{{container_name}} {{hw_id}}")]),
        panel("timeseries", "GPU temperature", "Temperature of the device.", "celsius", [(f"hw_temperature_celsius{{{NODE}}}", "{{hw_name}} {{instance}}")]),
        row("The agent itself"),
        panel("timeseries", "Agent's CPU", "Cores that plumbline itself uses.", "short",
              [(f"rate(process_cpu_time_seconds_total{{{NODE}}}[$__rate_interval])", "{{instance}}")]),
        panel("timeseries", "Agent's memory", "Resident memory of plumbline itself.", "bytes", [(f"process_memory_usage_bytes{{{NODE}}}", "{{instance}}")]),
        panel("timeseries", "Collectors that are down", "1 for a collector that is down though what it reads is there.", "none",
              [(f"plumbline_collector_fault{{{NODE}}}", "{{collector}} {{instance}}")]),
    ],
)


def leading(metric):
    """The metric of the measure that speaks for the model."""
    of = "on (instance, model, model_namespace, measure)"
    return f"{metric}{{{MODEL}}} and {of} plumbline_model_performance_estimated_worse_ratio{{{MODEL}}}"


models = dashboard(
    "plumbline-models", "plumbline / Models", "Is each model still right, and right for everyone: drift, performance, estimates, groups, versions, traffic, cost.",
    [
        variable("instance", "Node", "plumbline_collector_up", "instance"),
        variable("model", "Model", "plumbline_model_prediction_count_total", "model"),
    ],
    [
        row("In short"),
        panel("stat", "Drift", "1 when any feature or the prediction drifts for enough windows in a row.", "none",
              [(f"max by (model, model_namespace) (plumbline_model_drift{{{MODEL}}})", "{{model}} {{model_namespace}}")], 8, 5, [(1, "orange")]),
        panel("stat", "Worse than the reference", "How much worse the leading measure is than over the reference.", "percentunit",
              [(f"max by (model, model_namespace) (plumbline_model_performance_drop_ratio{{{MODEL}}})", "{{model}} {{model_namespace}}")], 8, 5, [(0.05, "orange"), (0.1, "red")]),
        panel("stat", "Predictions", "Samples taken in, each once, within the shown time.", "short",
              [(f"sum by (model, model_namespace) (increase(plumbline_model_prediction_count_total{{{MODEL}}}[$__range]))", "{{model}} {{model_namespace}}")], 8, 5),
        row("Drift"),
        panel("timeseries", "PSI by feature", "Population stability index of numeric features over the last window; 0.2 is the usual threshold.", "none",
              [(f'plumbline_model_feature_drift{{{MODEL}, test="psi"}}', "{{model}} {{model_namespace}} {{feature}}")], 12, 8),
        panel("timeseries", "Jensen-Shannon distance by feature", "Of categorical features over the last window; 0.1 is the usual threshold.", "none",
              [(f'plumbline_model_feature_drift{{{MODEL}, test="jensen_shannon"}}', "{{model}} {{model_namespace}} {{feature}}")], 12, 8),
        panel("timeseries", "Features that drifted", "How many features drifted in the last window.", "none",
              [(f"sum by (model, model_namespace) (plumbline_model_feature_drifted{{{MODEL}}})", "{{model}} {{model_namespace}}")], 12),
        panel("timeseries", "Missing values", "Share of the last window's rows without a value, by feature.", "percentunit",
              [(f"plumbline_model_data_missing_ratio{{{MODEL}}}", "{{model}} {{model_namespace}} {{feature}}")], 12),
        panel("bargauge", "Values by bin since the reference took effect", "Counts in the reference's bins; equal hashes add up over replicas.", "short",
              [(f"topk(30, sum by (model, model_namespace, feature, bin) (plumbline_model_feature_bin_count_total{{{MODEL}}}))", "{{feature}} {{bin}}")], 24, 9),
        row("Performance"),
        panel("timeseries", "Performance", "Over the newest window that has labels.", "none",
              [(f"plumbline_model_performance{{{MODEL}}}", "{{model}} {{model_namespace}} {{measure}}")], 12, 8),
        panel("timeseries", "Performance against the reference", "The current value less the reference's.", "none",
              [(f"plumbline_model_performance{{{MODEL}}} - plumbline_model_reference_performance{{{MODEL}}}", "{{model}} {{model_namespace}} {{measure}}")], 12, 8),
        panel("timeseries", "Labelled rows", "Rows with a label in the newest window that has any.", "none",
              [(f"plumbline_model_performance_rows{{{MODEL}}}", "{{model}} {{model_namespace}}")]),
        row("Estimated without labels"),
        panel("timeseries", "Estimate, its band and the truth",
              "The leading measure as it is expected of the last window, with its 95 % band; beside it that of the newest window with labels. "
              "Blind to concept drift.", "none",
              [(leading("plumbline_model_performance_estimated"), "{{model}} {{model_namespace}} {{measure}} estimated"),
               (leading("plumbline_model_performance_estimated_low"), "{{model}} {{model_namespace}} {{measure}} at least"),
               (leading("plumbline_model_performance_estimated_high"), "{{model}} {{model_namespace}} {{measure}} at most"),
               (leading("plumbline_model_performance"), "{{model}} {{model_namespace}} {{measure}} by labels")], 12, 8),
        panel("timeseries", "What the estimate was off by", "The estimate less what labels say, over the newest window with both.", "none",
              [(f"plumbline_model_performance_estimated_error{{{MODEL}}}", "{{model}} {{model_namespace}} {{measure}}")], 12, 8),
        panel("stat", "Worse, by estimate and by labels", "1 where the leading measure is worse than over the reference, for certain and by more than the margin.",
              "none",
              [(f"max by (model, model_namespace) (plumbline_model_performance_estimated_worse_ratio{{{MODEL}}})", "{{model}} {{model_namespace}} by estimate"),
               (f"max by (model, model_namespace) (plumbline_model_performance_worse_ratio{{{MODEL}}})", "{{model}} {{model_namespace}} by labels")],
              24, 5, [(1, "red")]),
        row("Groups and parts"),
        panel("timeseries", "Fairness", "How far groups by a protected attribute lie apart, or by two.", "none",
              [(f"plumbline_model_fairness{{{MODEL}}}", "{{model}} {{model_namespace}} {{attribute}} {{measure}}")], 12, 8),
        panel("timeseries", "Leading measure by segment", "By the values of the columns that the model's description names.", "none",
              [(f"plumbline_model_segment_performance{{{MODEL}}}", "{{model}} {{model_namespace}} {{segment}} {{value}} {{measure}}")], 12, 8),
        panel("stat", "Four-fifths rule broken", "1 where a group is selected less than four fifths as often as another, for certain.", "none",
              [(f"max by (model, model_namespace, attribute) (plumbline_model_fairness_four_fifths_broken_ratio{{{MODEL}}})", "{{model}} {{model_namespace}} {{attribute}}")],
              12, 5, [(1, "orange")]),
        panel("stat", "Parts on which it does worse", "Found without being told where to look; most models have some.", "none",
              [(f"max by (model, model_namespace) (plumbline_model_segments_worse{{{MODEL}}})", "{{model}} {{model_namespace}}")], 12, 5),
        row("Versions"),
        panel("timeseries", "Versions side by side", "The measure on which versions are compared, over the newest rows with labels.", "none",
              [(f"plumbline_model_version_performance{{{MODEL}}} and on (instance, model, model_namespace, measure) "
                f"plumbline_model_version_performance_difference{{{MODEL}}}", "{{model}} {{model_namespace}} {{version}} {{measure}}")], 12, 8),
        panel("timeseries", "Difference from the champion", "With its 95 % interval at one look.", "none",
              [(f"plumbline_model_version_performance_difference{{{MODEL}}}", "{{model}} {{model_namespace}} {{version}} less {{champion}}"),
               (f"plumbline_model_version_performance_difference_low{{{MODEL}}}", "{{model}} {{model_namespace}} {{version}} at least"),
               (f"plumbline_model_version_performance_difference_high{{{MODEL}}}", "{{model}} {{model_namespace}} {{version}} at most")], 12, 8),
        panel("stat", "Worse than the champion", "1 where a version is worse by more than the margin, for certain however often it is looked at.", "none",
              [(f"max by (model, model_namespace, version, champion) (plumbline_model_version_performance_worse_ratio{{{MODEL}}})",
                "{{model}} {{model_namespace}} {{version}} beside {{champion}}")], 24, 5, [(1, "orange")]),
        row("Traffic"),
        panel("timeseries", "Predictions a second", "Samples that arrive.", "reqps",
              [(f"sum by (model, model_namespace) (rate(plumbline_model_prediction_count_total{{{MODEL}}}[$__rate_interval]))", "{{model}} {{model_namespace}}")]),
        panel("timeseries", "Labels a second", "Labels that arrive.", "reqps",
              [(f"sum by (model, model_namespace) (rate(plumbline_model_label_count_total{{{MODEL}}}[$__rate_interval]))", "{{model}} {{model_namespace}}")]),
        panel("timeseries", "Rows that are in no window", "Repeated, too late, forgotten or unmatched rows a second.", "reqps",
              [(f"sum by (model, model_namespace, reason) (rate(plumbline_model_dropped_total{{{MODEL}}}[$__rate_interval]))", "{{model}} {{model_namespace}} {{reason}}")]),
        panel("timeseries", "Cost of a thousand predictions", "What the containers that are labelled with the model cost, over its traffic.", "none",
              [(f"plumbline_model_cost{{{MODEL}}}", "{{model}} {{model_namespace}}")], decimals=4),
        panel("timeseries", "Memory of windows", "About what the model's windows take in the agent.", "bytes",
              [(f"plumbline_model_memory_usage_bytes{{{MODEL}}}", "{{model}} {{model_namespace}}")]),
    ],
)

for name, made in (("overview", overview), ("models", models)):
    (FOLDER / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
