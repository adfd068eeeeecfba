/** The figures of a soak, as a table for people. */

export function tableOf(kinds, state) {
  const rows = kinds.map((kind) => {
    const { done, tasks, ms, skipped } = state.of(kind);
    const failures = state.failures.filter((failure) => failure.kind === kind.name).length;
    return [
      kind.name,
      done.toLocaleString("en"),
      kind.unit,
      kind.goal.toLocaleString("en"),
      `${((100 * done) / kind.goal).toFixed(1)} %`,
      String(tasks),
      `${(ms / 60_000).toFixed(1)} min`,
      skipped === undefined ? String(failures) : `skipped: ${skipped}`,
    ];
  });
  const head = ["campaign", "done", "of what", "goal in 8 h", "reached", "tasks", "time", "failed"];
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
