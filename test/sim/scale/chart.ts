/** Draws each figure as bars, one a size of cluster, on a scale of its own from zero. */
import type { ScaleFigures } from "./measure.ts";
import { digits, type Figure, figures } from "./report.ts";

const columns = 3;
const panel = { width: 280, height: 150, head: 30, foot: 22, gap: 14 };
const margin = { left: 16, top: 48 };
const color = "#0b6e4f";

export function chartOf(measured: readonly ScaleFigures[]): string {
  const rows = Math.ceil(figures.length / columns);
  const width = 2 * margin.left + columns * panel.width + (columns - 1) * panel.gap;
  const height = margin.top + rows * (panel.height + panel.gap);
  const drawn = figures.map((figure, i) => {
    const x = margin.left + (i % columns) * (panel.width + panel.gap);
    const y = margin.top + Math.floor(i / columns) * (panel.height + panel.gap);
    return drawPanel(figure, measured, { x, y });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">\n`,
    "<title>What grows with the number of nodes</title>\n",
    `<rect width="${width}" height="${height}" fill="#ffffff"/>\n`,
    text({ x: margin.left, y: 22, weight: 600 }, "What grows with the number of nodes"),
    text({ x: margin.left, y: 38 }, "counted in virtual time, with the real nodes and stores"),
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
  const most = Math.max(Number.MIN_VALUE, ...values.filter((value) => !Number.isNaN(value)));
  const room = panel.height - panel.head - panel.foot;
  const step = panel.width / measured.length;
  const unit = figure.unit === "" ? "" : ` (${figure.unit})`;
  const parts = [text({ x, y: y + 12, weight: 600 }, `${figure.name}${unit}`)];
  const bottom = y + panel.height - panel.foot;
  for (const [i, value] of values.entries()) {
    const middle = x + (i + 0.5) * step;
    const tall = Number.isNaN(value) ? 0 : (value / most) * room;
    parts.push(
      `<rect x="${(middle - step * 0.3).toFixed(1)}" y="${(bottom - tall).toFixed(1)}"`,
      ` width="${(step * 0.6).toFixed(1)}" height="${tall.toFixed(1)}" fill="${color}"/>\n`,
      text({ x: middle, y: bottom - tall - 4, anchor: "middle" }, digits(value)),
      text({ x: middle, y: bottom + 14, anchor: "middle" }, String(measured[i]?.nodes)),
    );
  }
  return parts.join("");
}

interface TextPlace extends Place {
  readonly weight?: number;
  readonly anchor?: "start" | "middle";
}

function text({ x, y, weight = 400, anchor = "start" }: TextPlace, content: string): string {
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${place} font-weight="${weight}" fill="#24292f">${safe}</text>\n`;
}
