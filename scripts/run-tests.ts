/**
 * Runs the tests of all kinds and ends with one line: `N passed, N failed`, and `, N skipped` where any were.
 *
 *   node scripts/run-tests.ts [--project unit] …      arguments go to vitest; without any, shell tests and test/kind run, too
 *   DBTLS_E2E=0 leaves test/kind out, DBTLS_E2E=1 lets the arguments name it (`--project kind`)
 *
 * A shell test is test/shell/*.test.sh; it prints `ok NAME`, `not ok NAME` or `skip NAME` a line, as a rule with a reason.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'

interface Tally {
  passed: number
  failed: number
  skipped: number
  /** A line for each failure, said again at the end: thousands of lines stand between most failures and the count. */
  readonly failures: string[]
  /** Whole parts that could not run here, and why. */
  readonly left: string[]
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly success: boolean
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

const firstLine = (text: string | undefined): string => (text ?? '').split('\n', 1)[0] ?? ''

const failuresOf = (report: VitestReport): string[] =>
  report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && status === 'failed') return [`${file}: ${firstLine(message)}`]
    return failed.map((test) => `${file} > ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`)
  })

/** Written by test/kind/global-setup.ts where there is no cluster. */
const noCluster = 'build/test/no-cluster'

/** `name`: of this run, among those that go on at the same time. */
const runVitest = async (tally: Tally, name: string, args: readonly string[], env = process.env): Promise<void> => {
  const outputFile = `build/test/${name}.json`
  rmSync(outputFile, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${outputFile}`]
  const vitest = spawn('vitest', ['run', ...reporters, ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] })
  const [status] = (await once(vitest, 'close')) as [number | null]
  if (!existsSync(outputFile)) {
    tally.failures.push(`vitest ${args.join(' ')} ended with ${status} before it could report`)
    tally.failed++
    return
  }
  const report = JSON.parse(readFileSync(outputFile, 'utf8')) as VitestReport
  tally.passed += report.numPassedTests
  tally.failed += report.numFailedTests
  tally.skipped += report.numPendingTests + report.numTodoTests
  tally.failures.push(...failuresOf(report))
  const reason = existsSync(noCluster) ? readFileSync(noCluster, 'utf8').trim() : undefined
  if (reason !== undefined) tally.left.push(reason)
  if (report.numFailedTests > 0) return
  // A file that does not load and an unhandled rejection fail the run without failing a test.
  const isBroken = status !== 0 || !report.success
  if (!isBroken && (report.numPassedTests > 0 || reason !== undefined)) return
  tally.failed++
  tally.failures.push(
    isBroken ? `vitest ${args.join(' ')} ended with ${status}, and no test had failed` : 'no test ran',
  )
}

/** Live databases are waited for most of the time, so their tests go on beside all others, which need the processors. */
const runAll = async (tally: Tally): Promise<void> => {
  const { DBTLS_E2E: _, ...env } = process.env
  await Promise.all([
    runVitest(tally, 'databases', ['--project', 'databases'], env),
    runVitest(tally, 'others', ['--project', '!databases'], env),
  ])
  const names = readdirSync('test/shell').filter((name) => name.endsWith('.test.sh'))
  for (const name of names.toSorted()) runShellTest(tally, join('test/shell', name))
  await runKind(tally)
}

/** After all others, which it would slow down: a cluster of its own, a real kubelet, real pods. */
const runKind = async (tally: Tally): Promise<void> => {
  if (process.env['DBTLS_E2E'] === '0') {
    tally.left.push('test/kind: DBTLS_E2E=0')
    return
  }
  console.log('test/kind: the operator installed by helm on a cluster of its own (make e2e) …')
  await runVitest(tally, 'kind', ['--project', 'kind'], { ...process.env, DBTLS_E2E: '1' })
}

const runShellTest = (tally: Tally, file: string): void => {
  const { status, stdout } = spawnSync('sh', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  process.stdout.write(`${file}\n${stdout}`)
  const lines = stdout.split('\n')
  const count = (word: string): number => lines.filter((line) => line.startsWith(`${word} `)).length
  const failed = count('not ok')
  tally.failures.push(...lines.filter((line) => line.startsWith('not ok ')).map((line) => `${file} > ${line}`))
  tally.passed += count('ok')
  tally.skipped += count('skip')
  tally.failed += failed === 0 && status !== 0 ? 1 : failed
}

const tally: Tally = { passed: 0, failed: 0, skipped: 0, failures: [], left: [] }
const args = process.argv.slice(2)
mkdirSync('build/test', { recursive: true })
rmSync(noCluster, { force: true })
await (args.length === 0 ? runAll(tally) : runVitest(tally, 'chosen', args))
const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''
for (const line of tally.left) console.log(`SKIPPED ${line}`)
for (const line of tally.failures) console.log(`FAILED ${line}`)
console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`)
process.exitCode = tally.failed > 0 ? 1 : 0
