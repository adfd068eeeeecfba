/** The repository's sources as the compiler sees them: what each imports, and how long it is. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Source {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** Paths of ours, relative to the root. */
  readonly imports: readonly string[];
  /** Those of them that are loaded with the file: not types, not dynamic imports. */
  readonly loads: readonly string[];
  /** Names of packages, and of Node's own modules as "node:fs". */
  readonly packages: readonly string[];
  readonly tree: ts.SourceFile;
}

const folders = ["bin", "bench", "src", "native-free-engine", "test"];

export function readSources(): Source[] {
  const paths = folders.flatMap((folder) => {
    const directory = join(root, folder);
    if (!existsSync(directory)) return [];
    return readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes("node_modules"))
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`);
  });
  return paths.sort().map(readSource);
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  const packages: string[] = [];
  for (const specifier of specifiersOf(tree)) {
    if (specifier.startsWith(".")) imports.push(normalize(join(dirname(path), specifier)));
    else packages.push(packageOf(specifier));
  }
  const loads = tree.statements
    .filter(isLoaded)
    .flatMap(specifiersOf)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(dirname(path), specifier)));
  return { path, text, lines: text.split("\n"), imports, loads, packages, tree };
}

/** Static, dynamic and type imports, and re-exports. */
function specifiersOf(tree: ts.Node): string[] {
  const found: string[] = [];
  visit(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const { moduleSpecifier } = node;
      if (moduleSpecifier && ts.isStringLiteral(moduleSpecifier)) found.push(moduleSpecifier.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [first] = node.arguments;
      if (first && ts.isStringLiteral(first)) found.push(first.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument;
      if (ts.isStringLiteral(literal)) found.push(literal.text);
    }
  });
  return found;
}

function isLoaded(statement: ts.Statement): boolean {
  if (ts.isExportDeclaration(statement)) return !statement.isTypeOnly;
  return (
    ts.isImportDeclaration(statement) &&
    statement.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword
  );
}

function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier.split("/", 1).join();
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

/** Every name the code of a file mentions, one with a dot for each that is taken from another. */
export function namesIn(source: Source): Set<string> {
  const names = new Set<string>();
  visit(source.tree, (node) => {
    if (ts.isIdentifier(node)) names.add(describeIdentifier(node));
  });
  return names;
}

/** An identifier with what it is taken from, as in "Math.random". */
function describeIdentifier(node: ts.Identifier): string {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return `${parent.expression.getText()}.${node.text}`;
  }
  return node.text;
}

/** Files that git tracks or would, relative to the root; undefined outside a checkout. */
export function trackedFiles(): string[] | undefined {
  try {
    const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return listed.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  } catch {
    return undefined;
  }
}
