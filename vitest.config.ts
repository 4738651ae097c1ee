import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Proofs, compilers and chains run in these tests: only a test that hangs should ever reach this.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: "forks",
    // Each process imports everything once, not once for every file: a fifth of the time.
    isolate: false,
    // Two cores, and many tests that wait for real time to pass.
    maxWorkers: 3
  }
})
