/**
 * Draws a report as an SVG of bars: one block a row, one bar an engine, each row on its own scale
 * from zero, with the rate in digits behind each bar and a line for the range of its rounds.
 */
import { describeEnvironment } from "./environment.ts";
import { type EngineRow, type Row, rowLabel } from "./measurement.ts";
import type { Report } from "./report.ts";
import { count, ours, rateOf } from "./table.ts";

const width = 860;
const labelWidth = 190;
const barsWidth = 500;
const barHeight = 13;
const rowGap = 14;
const headHeight = 74;
const colors: Readonly<Record<string, string>> = {
  everwrite: "#0b6e4f",
  "classic-level": "#7a8ca3",
  lmdb: "#c08a3e",
  rocksdb: "#9a6fb0",
  sqlite: "#5f9ea0",
  "everwrite-sync": "#57b894",
  redis: "#c0392b",
  "redis-wait": "#e29a8f",
  nats: "#3e7cb1",
  etcd: "#9a6fb0",
};

/**
 * The rows of the report's first data set, of all workloads or those chosen; where requests come at
 * a rate, all rates are alike.
 */
export function chartOf(report: Report, chosen: readonly string[] = []): string {
  const all = report.rows.filter(
    ({ workload }) => chosen.length === 0 || chosen.includes(workload),
  );
  const first = all[0];
  if (first === undefined) throw new Error("there are no rows to draw");
  const rows = all.filter(
    ({ n, valueBytes, callers }) => n === first.n && valueBytes === first.valueBytes && callers > 0,
  );
  const engines = first.engines.filter(({ engine }) => engine in colors);
  const drawn: string[] = [];
  let y = headHeight;
  for (const row of rows) {
    drawn.push(drawRow(row, y));
    y += barsOf(row).length * barHeight + rowGap;
  }
  const values = `${first.n.toLocaleString("en-US")} keys of 16 B, values of ${first.valueBytes} B`;
  const legend = engines.map(({ engine }, i) => {
    const x = 16 + i * 130;
    const box = `<rect x="${x}" y="48" width="10" height="10" fill="${colors[engine]}"/>`;
    return `${box}${text({ x: x + 15, y: 57 }, engine)}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 8}"`,
    ` viewBox="0 0 ${width} ${y + 8}" font-family="system-ui, sans-serif" font-size="11">\n`,
    `<title>Operations a second of each engine, ${values}</title>\n`,
    `<rect width="${width}" height="${y + 8}" fill="#ffffff"/>\n`,
    text({ x: 16, y: 20, weight: 600 }, `Operations a second, more is better: ${values}`),
    text({ x: 16, y: 37, color: "#57606a" }, describeEnvironment(report.environment)),
    ...legend,
    ...drawn,
    "</svg>\n",
  ].join("");
}

function barsOf(row: Row): EngineRow[] {
  return row.engines.filter(({ engine }) => engine in colors);
}

function drawRow(row: Row, top: number): string {
  const bars = barsOf(row);
  const most = Math.max(1, ...bars.map((bar) => rateOf(bar)?.max ?? 0));
  const middle = top + (bars.length * barHeight) / 2 + 4;
  const parts = [text({ x: 16, y: middle, weight: 600 }, rowLabel(row))];
  for (const [i, bar] of bars.entries()) {
    const y = top + i * barHeight;
    const rate = bar.absent === undefined ? rateOf(bar) : undefined;
    if (rate === undefined) {
      parts.push(text({ x: labelWidth, y: y + 10, color: "#57606a" }, "—"));
      continue;
    }
    const scale = (value: number): number => (value / most) * barsWidth;
    const at = (value: number): string => (labelWidth + scale(value)).toFixed(1);
    const line = y + (barHeight - 2) / 2;
    parts.push(
      `<rect x="${labelWidth}" y="${y}" width="${scale(rate.median).toFixed(1)}"`,
      ` height="${barHeight - 2}" fill="${colors[bar.engine]}"/>`,
      `<path d="M${at(rate.min)} ${line}H${at(rate.max)}" stroke="#24292f"/>\n`,
      text(
        {
          x: labelWidth + scale(Math.max(rate.median, rate.max)) + 6,
          y: y + 10,
          weight: bar.engine === ours ? 600 : 400,
        },
        count(rate.median),
      ),
    );
  }
  return parts.join("");
}

interface TextPlace {
  readonly x: number;
  readonly y: number;
  readonly weight?: number;
  readonly color?: string;
}

function text({ x, y, weight = 400, color = "#24292f" }: TextPlace, content: string): string {
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<text ${place} font-weight="${weight}" fill="${color}">${safe}</text>\n`;
}
