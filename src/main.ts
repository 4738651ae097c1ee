#!/usr/bin/env node
/**
 * The `lignum` command. What Node makes of the sources is kept beside them, so that the next start takes half the time; and not in a
 * folder for temporary files, where others could put something else. Whatever is imported statically would come too early for that.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

enableCompileCache(fileURLToPath(new URL("../build/node", import.meta.url)))
await import("./cli/run.ts")
