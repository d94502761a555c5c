"""Rows as measured, the final table and report.json; measures nothing."""

import json
import statistics


def median(values):
    return statistics.median(values) if values else None


class Report:
    def __init__(self, facts):
        self.facts = facts
        self.rows = []

    def add(self, row, unit, ours, goal, *, peer=None, peer_name=None, why_no_peer=None, ratio_is_goal=False,
            lower_is_better=True, rounds=(), note=""):
        """A row of the table. `ours` and `peer` are medians; `goal` is of the ratio if `ratio_is_goal`."""
        ratio = None
        if ours and peer:
            ratio = peer / ours if lower_is_better else ours / peer
        judged = ratio if ratio_is_goal else ours
        higher_wins = ratio_is_goal or not lower_is_better
        met = None
        if judged is not None and goal is not None:
            met = judged >= goal if higher_wins else judged <= goal
        self.rows.append({
            "row": row, "unit": unit, "ours": ours, "peer": peer, "peer_name": peer_name, "ratio": ratio, "goal": goal,
            "goal_is": "ratio" if ratio_is_goal else "ours", "higher_wins": higher_wins, "met": met, "note": note,
            "not_measured": why_no_peer, "rounds": list(rounds),
        })
        print("   " + self.line(self.rows[-1]), flush=True)

    def not_measured(self, row, reason):
        self.rows.append({"row": row, "not_measured": reason, "ours": None, "peer": None, "goal": None, "met": None})
        print(f"   {row}: not measured: {reason}", flush=True)

    @staticmethod
    def line(row):
        if row["ours"] is None:
            return f"{row['row']}: not measured: {row['not_measured']}"
        peer = f"{number(row['peer'])} ({row['peer_name']})" if row["peer"] else f"not measured: {row['not_measured']}"
        return f"{row['row']}: {number(row['ours'])} {row['unit']}; peer {peer}"

    def table(self):
        head = ("row", "ours", "peer", "ratio", "goal", "met?")
        lines = [head]
        for row in self.rows:
            if row["ours"] is None:
                lines.append((row["row"], "-", "-", "-", "-", f"not measured: {row['not_measured']}"))
                continue
            unit = row["unit"]
            if row["peer"]:
                peer = f"{number(row['peer'])} {unit} ({row['peer_name']})"
            else:
                peer = f"not measured: {row['not_measured']}" if row["not_measured"] else "-"
            sign = ">=" if row["higher_wins"] else "<="
            goal = "-" if row["goal"] is None else f"{sign} {number(row['goal'])}{'x' if row['goal_is'] == 'ratio' else ' ' + unit}"
            ratio = f"{row['ratio']:.1f}x" if row["ratio"] else "-"
            met = {True: "yes", False: "NO", None: "-"}[row["met"]]
            lines.append((row["row"], f"{number(row['ours'])} {unit}", peer, ratio, goal, met))
        widths = [min(60, max(len(line[n]) for line in lines)) for n in range(5)]
        text = [" | ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[5]]) for line in lines]
        text.insert(1, "-|-".join("-" * width for width in widths) + "-|-----")
        notes = [f"{row['row']}: {row['note']}" for row in self.rows if row.get("note")]
        seen = [around for row in self.rows for around in rounds_of(row)]
        loads, syncs = [s["load"] for s in seen], [s["sync_p50_ms"] for s in seen]
        text += ["", *notes]
        if seen:
            text.append(
                f"Load average while it ran: {min(loads):.1f} to {max(loads):.1f} on {self.facts['cores']} cores; "
                f"fdatasync of 4 KiB, p50: {min(syncs):.2f} to {max(syncs):.2f} ms, "
                f"p99 up to {max(s['sync_p99_ms'] for s in seen):.1f} ms."
            )
            if max(loads) > 2 * self.facts["cores"]:
                text.append("The machine was shared while this ran: trust ratios, not absolute figures.")
        return "\n".join(text)

    def write(self, path):
        path.write_text(json.dumps({"machine": self.facts, "rows": self.rows}, indent=2) + "\n")


def rounds_of(row):
    return [a["around"] for a in row.get("rounds", []) if "around" in a]


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
