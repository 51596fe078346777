import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      // No test measures time: a limit only ends one that hangs, however slow or busy the machine.
      { test: { name: 'unit', include: ['{src,scripts}/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      {
        test: {
          name: 'oracles',
          include: ['test/{oracles,kind/image}/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'databases',
          include: ['test/databases/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/{controlplane,conformance,e2e,faults}/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          globalSetup: ['test/controlplane/harness/global-setup.ts'],
        },
      },
      // Not beside the others: its cluster would run all the time. See `make e2e` and scripts/run-tests.ts.
      ...(process.env['DBTLS_E2E'] !== '1'
        ? []
        : [
            {
              test: {
                name: 'kind',
                include: ['test/kind/*.test.ts'],
                testTimeout: 600_000,
                hookTimeout: 1_800_000,
                fileParallelism: false,
                globalSetup: ['test/kind/global-setup.ts'],
              },
            },
          ]),
    ],
  },
})
