/** Draws each figure as bars, one a size of cluster, on a scale of its own from zero. */
import type { ScaleFigures } from "./measure.ts";
import { digits, type Figure, figures, isFigure } from "./report.ts";

const columns = 3;
const panel = { width: 280, height: 164, head: 34, foot: 36, gap: 20 };
const margin = { left: 16, top: 48 };
const color = "#0b6e4f";
const faint = "#57606a";

export function chartOf(measured: readonly ScaleFigures[]): string {
  const rows = Math.ceil(figures.length / columns);
  const width = 2 * margin.left + columns * panel.width + (columns - 1) * panel.gap;
  const height = margin.top + rows * (panel.height + panel.gap);
  const drawn = figures.map((figure, i) => {
    const x = margin.left + (i % columns) * (panel.width + panel.gap);
    const y = margin.top + Math.floor(i / columns) * (panel.height + panel.gap);
    return drawPanel(figure, measured, { x, y });
  });
  const title = "What more nodes cost: each figure by the number of nodes";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">\n`,
    `<title>${title}</title>\n`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>\n`,
    text({ x: margin.left, y: 22, weight: 600 }, title),
    text({ x: margin.left, y: 38 }, "counted in virtual time; — where there is no figure"),
    ...drawn,
    "</svg>\n",
  ].join("");
}

interface Place {
  readonly x: number;
  readonly y: number;
}

function drawPanel(figure: Figure, measured: readonly ScaleFigures[], { x, y }: Place): string {
  const values = measured.map((each) => figure.of(each));
  const most = Math.max(Number.MIN_VALUE, ...values.filter(isFigure));
  const room = panel.height - panel.head - panel.foot;
  const step = panel.width / measured.length;
  const unit = figure.unit === "" ? "" : ` (${figure.unit})`;
  const parts = [text({ x, y: y + 12, weight: 600 }, `${figure.name}${unit}`)];
  const bottom = y + panel.height - panel.foot;
  for (const [i, value] of values.entries()) {
    const middle = x + (i + 0.5) * step;
    const tall = isFigure(value) ? (value / most) * room : 0;
    parts.push(
      `<rect x="${(middle - step * 0.3).toFixed(1)}" y="${(bottom - tall).toFixed(1)}"`,
      ` width="${(step * 0.6).toFixed(1)}" height="${tall.toFixed(1)}" fill="${color}"/>\n`,
      text({ x: middle, y: bottom - tall - 4, anchor: "middle" }, digits(value)),
      text({ x: middle, y: bottom + 14, anchor: "middle" }, String(measured[i]?.nodes)),
    );
  }
  parts.push(
    `<path d="M ${x} ${bottom + 0.5} h ${panel.width}" stroke="${faint}"/>\n`,
    text({ x: x + panel.width / 2, y: bottom + 28, anchor: "middle", fill: faint }, "nodes"),
  );
  return parts.join("");
}

interface TextPlace extends Place {
  readonly weight?: number;
  readonly anchor?: "start" | "middle";
  readonly fill?: string;
}

const plain = { weight: 400, anchor: "start", fill: "#24292f" } as const;

function text(place: TextPlace, content: string): string {
  const { x, y, weight, anchor, fill } = { ...plain, ...place };
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${at} font-weight="${weight}" fill="${fill}">${safe}</text>\n`;
}
