// Writes a TypeScript module for each board: the board as a literal that must satisfy Grafana's published types. Fields that
// are enums there are written as members of them.
//
//   node schema.mjs DASHBOARDS OUT
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [dashboards, out] = process.argv.slice(2);
const members = {
  mode: { absolute: "ThresholdsMode.Absolute", percentage: "ThresholdsMode.Percentage" },
};
// Where the word is an enum, by the path that leads there.
const isEnum = (path) => path.endsWith("thresholds.mode");
const colors = { thresholds: "FieldColorModeId.Thresholds", "palette-classic": "FieldColorModeId.PaletteClassic" };

const literal = (value, path) => {
  if (Array.isArray(value)) return `[${value.map((one) => literal(one, path)).join(", ")}]`;
  if (value && typeof value === "object") {
    return `{ ${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${literal(one, `${path}.${key}`)}`).join(", ")} }`;
  }
  if (typeof value === "string" && isEnum(path)) return members.mode[value] ?? fail(path, value);
  if (typeof value === "string" && path.endsWith("color.mode")) return colors[value] ?? fail(path, value);
  if (typeof value === "number" && path.endsWith(".graphTooltip")) return `DashboardCursorSync.Crosshair`;
  if (typeof value === "number" && path.endsWith("list.refresh")) return `VariableRefresh.onDashboardLoad`;
  if (typeof value === "number" && path.endsWith("list.hide")) return `VariableHide.hideVariable`;
  if (typeof value === "number" && path.endsWith("list.sort")) return `VariableSort.disabled`;
  return JSON.stringify(value);
};
const fail = (path, value) => {
  throw new Error(`${path}: ${value} is no member that is known here`);
};

mkdirSync(out, { recursive: true });
for (const lang of readdirSync(dashboards)) {
  for (const name of readdirSync(join(dashboards, lang))) {
    const board = JSON.parse(readFileSync(join(dashboards, lang, name), "utf8"));
    const text = `import { type Dashboard, DashboardCursorSync, FieldColorModeId, ThresholdsMode, VariableHide, VariableRefresh, VariableSort } from "@grafana/schema";
export { DashboardCursorSync, FieldColorModeId, ThresholdsMode, VariableHide, VariableRefresh, VariableSort };
export default ${literal(board, "board")} satisfies Dashboard;
`;
    writeFileSync(join(out, `${lang}-${name.replace(".json", ".ts")}`), text);
  }
}
