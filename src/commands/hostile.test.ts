/** Words and files that nobody in his right mind would give to a verb. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Main } from './shared/io.ts'
import { type Answer, authorityYaml, runVerb, useFolder } from './shared/verb.fixture.ts'
import { commands } from './table.ts'

const mainOf = async (verb: string): Promise<Main> => {
  const main = (await commands.get(verb)?.load())?.main
  if (main === undefined) throw new Error(`there is no verb ${verb}`)
  return main
}
const run = async (verb: string, ...args: string[]): Promise<Answer> =>
  runVerb(await mainOf(verb), args, { env: {}, stdin: new PassThrough() as never })

/** Whole lines, nothing that drives a terminal, no stack. */
const expectSentences = (text: string): void => {
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/)
  expect(text).not.toMatch(/^ +at /m)
}

const words = [
  ['a newline', 'a\nb'],
  ['an escape sequence', '\u001b[31mred'],
  ['a C1 control character', '\u009b31m'],
  ['a command', '$(id); `id` | id & x'],
  ['a way out', '../../../nowhere/passwd'],
  ['nothing', ''],
  ['a property of every object', '__proto__'],
  ['a very long word', 'x'.repeat(100_000)],
] as const

/** With the word in every place that takes one. */
const places: readonly (readonly [string, (word: string) => string[]])[] = [
  ['status', (word) => [word]],
  ['status', (word) => [`dbcert/${word}`]],
  ['status', (word) => ['-n', word]],
  ['status', (word) => ['-o', word]],
  ['renew', (word) => [word]],
  ['renew', (word) => ['--authority', word]],
  ['renew', (word) => ['x', '--per-second', word]],
  ['revoke', (word) => [word, '--authority', 'data/ca']],
  ['revoke', (word) => ['AB', '--authority', word]],
  ['revoke', (word) => ['--certificate', word]],
  ['revoke', (word) => ['AB', '--authority', 'data/ca', '--reason', word]],
  ['revoke', (word) => ['AB', '--authority', 'data/ca', '--invalidity-time', word]],
  ['sign', (word) => ['-f', `./${word}/x`, '--authority', 'data/ca']],
  ['sign', (word) => ['-f', '/dev/null', '--authority', word]],
  ['sign', (word) => ['-f', '/dev/null', '--authority', 'data/ca', '--role', word]],
  ['inspect', (word) => [word]],
  ['inspect', (word) => [`./${word}/x`]],
  ['verify', (word) => [word]],
  ['verify', (word) => [`./${word}/x`]],
  ['ledger', (word) => [word]],
  ['ledger', (word) => ['list', '--status', word]],
  ['ledger', (word) => ['list', '--authority', word]],
  ['ledger', (word) => ['show', word]],
  ['ledger', (word) => ['import', `./${word}/x`]],
  ['ledger', (word) => ['export', '--openssl', 'x', '--authority', word]],
  ['completion', (word) => [word]],
  ['version', (word) => [word]],
  ...[...commands.keys()].map((verb) => [verb, (word: string) => [`--${word}`]] as const),
]

describe('a word that is no name', () => {
  const folder = useFolder()
  beforeEach(() => folder.render(authorityYaml()))

  it.each(words)('with %s is refused in a sentence, wherever it stands', async (_, word) => {
    for (const [verb, args] of places) {
      const all = args(word)
      // Two dashes alone end the options, which is no mistake.
      if (all[0] === '--') continue
      const working = ['status', 'renew', 'revoke', 'sign', 'inspect', 'verify', 'ledger'].includes(verb)
      const { code, err } = await run(verb, ...all, ...(working && !all[0]?.startsWith('--') ? folder.state : []))
      expect([1, 2], `${verb} ${JSON.stringify(all).slice(0, 200)}: ${err}`).toContain(code)
      expect(err).not.toBe('')
      expectSentences(err)
    }
  })
})

describe('a file that is none', () => {
  const folder = useFolder()
  const ten = 10 * 1024 * 1024
  const makers: Readonly<Record<string, (path: string) => unknown>> = {
    'ten megabytes of noise': (path) => folder.file(path, randomBytes(ten)),
    'ten megabytes of text': (path) => folder.file(path, 'A'.repeat(ten)),
    'binary junk': (path) => folder.file(path, randomBytes(5_000)),
    'nothing at all': (path) => folder.file(path, ''),
    'a certificate of junk': (path) =>
      folder.file(
        path,
        `-----BEGIN CERTIFICATE-----\n${randomBytes(5_000).toString('base64')}\n-----END CERTIFICATE-----\n`,
      ),
    'an empty folder': (path) => mkdirSync(folder.path(path)),
    'a pipe nobody writes into': (path) => execFileSync('mkfifo', [folder.path(path)]),
    'a link to itself': (path) => symlinkSync(folder.path(path), folder.path(path)),
    'an endless device': (path) => symlinkSync('/dev/zero', folder.path(path)),
  }
  it.each(Object.keys(makers))('%s ends no verb but in a sentence', async (name) => {
    makers[name]?.('x')
    folder.file('ok.pem', 'text')
    const x = folder.path('x')
    const harmless = new Set(['inspect binary junk', 'inspect nothing at all', 'password a certificate of junk'])
    const answers = {
      inspect: await run('inspect', x),
      verify: await run('verify', x),
      authorities: await run('verify', folder.path('ok.pem'), '--ca', x),
      import: await run('ledger', 'import', x),
      kubeconfig: name.startsWith('a pipe') ? undefined : await run('status', '--kubeconfig', x),
      // A pipe may be that of <(…), and is waited for.
      password: name.startsWith('a pipe')
        ? undefined
        : await run('inspect', folder.path('ok.pem'), '--password-file', x),
    }
    for (const [what, answer] of Object.entries(answers)) {
      if (answer === undefined) continue
      const { code, err, out } = answer
      expect([what, code, err]).toEqual([what, harmless.has(`${what} ${name}`) ? 0 : 1, err])
      expectSentences(err + out)
      if (code === 1) expect(err, what).not.toBe('')
    }
  })
  it('one without the right to read it says so', async () => {
    await folder.render(authorityYaml())
    chmodSync(folder.file('x', 'text'), 0)
    mkdirSync(folder.path('y'))
    chmodSync(folder.file('y/index.txt', 'text'), 0)
    for (const args of [
      ['inspect', folder.path('x')],
      ['verify', folder.path('x')],
      ['status', '--kubeconfig', folder.path('x')],
      ['ledger', 'import', folder.path('y'), '--authority', 'data/ca', ...folder.state],
    ]) {
      const [verb = '', ...rest] = args
      const { code, err } = await folder.unprivileged(() => run(verb, ...rest))
      expect([code, err]).toEqual([1, expect.stringMatching(/permission denied|EACCES/)])
    }
  })
})
