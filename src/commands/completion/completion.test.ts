import { execFileSync, spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { main } from './completion.ts'
import { main as wordsMain } from './words.ts'
import { commands } from '../table.ts'
import { runVerb } from '../shared/verb.fixture.ts'

const scripts = new Map<string, string>()
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) scripts.set(shell, (await runVerb(main, [shell])).out)
})

/** What bash offers for the last word. */
const offered = (...words: string[]): string[] => {
  const program = `${scripts.get('bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dbtls; printf '%s\\n' "\${COMPREPLY[@]}"`
  const out = execFileSync('bash', ['-euc', program, 'bash', 'dbtls', ...words], { encoding: 'utf8' })
  return out.split('\n').filter((line) => line !== '')
}

describe('dbtls completion bash', () => {
  it('offers every verb', () => {
    expect(offered('')).toEqual([...commands.keys(), '--help', '--version'])
  })
  it.each<[string[], string[]]>([
    [['sta'], ['status']],
    [['ledger', 'sh'], ['show']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', '--help'],
    ],
    [['status', '--out'], ['--output']],
    [
      ['status', '-o', ''],
      ['table', 'json', 'yaml'],
    ],
    [['ledger', 'list', '--output', 'j'], ['json']],
    [['ledger', 'list', '--common'], ['--common-name']],
    [
      ['render', '--format', ''],
      ['files', 'yaml'],
    ],
    [['operator', '--sweep'], ['--sweep-interval']],
    // File names are bash's own.
    [['inspect', ''], []],
    [['nonsense', '--o'], []],
  ])('after %j offers %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected)
  })
})

describe('what kubectl asks for', () => {
  it.each<[string[], string[], string]>([
    [['sta'], ['status\twhat is due, held and failing'], ':4'],
    [['ledger', 'sh'], ['show\tone certificate in words, and whether it is revoked'], ':4'],
    [['status', '-o', ''], ['table\t', 'json\t', 'yaml\t'], ':4'],
    [['ledger', 'list', '--output', 'y'], ['yaml\t'], ':4'],
    [['completion', 'f'], ['fish\tdbtls completion fish >~/.config/fish/completions/dbtls.fish'], ':4'],
    // Files are the shell's own.
    [['inspect', ''], [], ':0'],
    [['ledger', 'import', './'], [], ':0'],
    [['verify', '--ca', ''], [], ':0'],
    [['nonsense', ''], [], ':4'],
    [['__proto__', ''], [], ':4'],
    [['ledger', 'nonsense', ''], [], ':4'],
  ])('after %j is %j', async (typed, expected, directive) => {
    const { code, out } = await runVerb(wordsMain, typed)
    expect([code, out]).toEqual([0, [...expected, directive, ''].join('\n')])
  })
  it('is every verb, and every option of one', async () => {
    const { out } = await runVerb(wordsMain, [''])
    expect(out.split('\n').map((line) => line.split('\t')[0])).toEqual([...commands.keys(), ':4', ''])
    const flags = (await runVerb(wordsMain, ['ledger', 'export', '-'])).out
    expect(flags).toContain('--openssl\twhere to; new, empty')
    expect(flags).toContain('\n-n\tdefault: the context')
  })
})

describe('dbtls completion', () => {
  it.each(['zsh', 'fish'])('%s knows each verb and option of the help', async (shell) => {
    const script = scripts.get(shell) ?? ''
    for (const verb of commands.keys()) expect(script).toContain(verb)
    const { out } = await runVerb((await commands.get('verify')?.load())?.main ?? main, ['--help'])
    const flags = [...out.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map(([, flag]) => flag)
    expect(flags.length).toBeGreaterThan(5)
    for (const flag of flags) expect(script).toContain(shell === 'fish' ? ` -l ${flag} ` : `'--${flag}:`)
  })
  it.each(['zsh', 'fish'])('%s can read its script, where it is installed', (shell) => {
    const { error, status, stderr } = spawnSync(shell, ['-n'], { input: scripts.get(shell), encoding: 'utf8' })
    if (error === undefined) expect([status, stderr]).toEqual([0, ''])
  })
  it.each([[[]], [['tcsh']], [['bash', 'zsh']]])('answers %j with exit code 2', async (args) => {
    const { code, err } = await runVerb(main, args)
    expect([code, err]).toEqual([2, 'dbtls completion: name a shell: bash, zsh, fish\n'])
  })
})

it('is a kubectl plugin under its other name', () => {
  const plugin = fileURLToPath(new URL('../../../bin/kubectl-dbtls', import.meta.url))
  expect(readlinkSync(plugin)).toBe('dbtls')
  expect(execFileSync(plugin, ['version'], { encoding: 'utf8' })).toMatch(/^\d+\.\d+\.\d+/)
})
