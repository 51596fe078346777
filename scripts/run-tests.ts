/**
 * Runs the tests of all kinds and ends with one line: `N passed, N failed`, and `, N skipped` where any were.
 *
 *   node scripts/run-tests.ts [--project unit] …      arguments go to vitest; shell tests run when there are none
 *
 * A shell test is test/shell/*.test.sh; it prints `ok NAME`, `not ok NAME` or `skip NAME` a line, as a rule with a reason.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

interface Tally {
  passed: number
  failed: number
  skipped: number
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly success: boolean
}

const runVitest = (tally: Tally, args: readonly string[]): void => {
  const outputFile = 'build/test/vitest.json'
  mkdirSync('build/test', { recursive: true })
  rmSync(outputFile, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${outputFile}`]
  const { status } = spawnSync('vitest', ['run', ...reporters, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (!existsSync(outputFile)) {
    console.error(`vitest ended with ${status} before it could report`)
    tally.failed++
    return
  }
  const report = JSON.parse(readFileSync(outputFile, 'utf8')) as VitestReport
  tally.passed += report.numPassedTests
  tally.failed += report.numFailedTests
  tally.skipped += report.numPendingTests + report.numTodoTests
  // A file that does not load and an unhandled rejection fail the run without failing a test.
  if (report.numFailedTests === 0 && (status !== 0 || !report.success)) tally.failed++
  if (report.numPassedTests === 0 && report.numFailedTests === 0) tally.failed++
}

const runShellTest = (tally: Tally, file: string): void => {
  const { status, stdout } = spawnSync('sh', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  process.stdout.write(`${file}\n${stdout}`)
  const lines = stdout.split('\n')
  const count = (word: string): number => lines.filter((line) => line.startsWith(`${word} `)).length
  const failed = count('not ok')
  tally.passed += count('ok')
  tally.skipped += count('skip')
  tally.failed += failed === 0 && status !== 0 ? 1 : failed
}

const tally: Tally = { passed: 0, failed: 0, skipped: 0 }
const args = process.argv.slice(2)
runVitest(tally, args)
if (args.length === 0) {
  const names = readdirSync('test/shell').filter((name) => name.endsWith('.test.sh'))
  for (const name of names.toSorted()) runShellTest(tally, join('test/shell', name))
}
const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''
console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`)
process.exitCode = tally.failed > 0 ? 1 : 0
