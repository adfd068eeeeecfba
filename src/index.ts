/**
 * The door of the package. Until the cluster stands behind it, it is the door of the embedded
 * engine, so that `import { openEngine } from "everwrite"` works too.
 */
export * from "../native-free-engine/index.ts";
