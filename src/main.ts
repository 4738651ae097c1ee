#!/usr/bin/env node
/**
 * The `lignum` command. What Node makes of the sources is kept in the system's folder for temporary files, so that the next start
 * takes half the time; the rest is imported after that is said.
 */
import { enableCompileCache } from "node:module"

enableCompileCache()
await import("./cli/run.ts")
