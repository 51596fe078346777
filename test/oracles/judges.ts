/**
 * Who judges samples: each says for every sample what is wrong with it, or that it cannot be asked. One process each where
 * that can be had, so that a hundred samples take seconds.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificatesOf, decodePem, encodePem } from '../../src/pki/encoding/pem.ts'
import { must, run } from '../controlplane/harness/process.ts'
import { host } from './forge.ts'
import { ownProblems } from './own-checks.ts'
import { folderOf, type Purpose, type Sample } from './samples.ts'
import { debianTools, type DebianTools, goProgram, here, missing, pythonInterpreter } from './tools.ts'

/** Problems by the name of the sample; or why there are none to be had. */
export type Judgement = ReadonlyMap<string, readonly string[]> | { readonly skipped: string }

type Judge = (folder: string, samples: readonly Sample[]) => Promise<Judgement>

const each = async (
  samples: readonly Sample[],
  judge: (sample: Sample) => Promise<readonly string[]>,
): Promise<Judgement> => {
  const found = new Map<string, readonly string[]>()
  for (const sample of samples) found.set(sample.name, await judge(sample))
  return found
}

/** What a program prints: one JSON object a line. */
const linesOf = (stdout: string, samples: readonly Sample[]): Judgement => {
  const said = new Map<string, readonly string[]>()
  for (const line of stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const { sample, problems } = JSON.parse(line) as { sample: string; problems: readonly string[] }
    said.set(sample, problems)
  }
  return new Map(samples.map(({ name }) => [name, said.get(folderOf(name)) ?? ['it says nothing']]))
}

const openssl: Judge = async (folder, samples) => {
  if (await missing('openssl', 'version')) return { skipped: 'there is no openssl on PATH' }
  return each(samples, async ({ name, chain, purposes, lists }) => {
    const at = (file: string): string => join(folder, folderOf(name), file)
    const problems: string[] = []
    const revocation = lists.length === 0 ? [] : ['-crl_check', '-CRLfile', at('lists.pem')]
    const untrusted = chain.length > 2 ? ['-untrusted', at('intermediates.pem')] : []
    const trusting = ['-CAfile', at('root.pem'), ...untrusted, ...revocation]
    const named: Record<Purpose, readonly string[]> = {
      server: ['-purpose', 'sslserver', '-verify_hostname', host],
      client: ['-purpose', 'sslclient'],
    }
    for (const options of purposes.length === 0 ? [[]] : purposes.map((purpose) => named[purpose])) {
      const strict = ['verify', '-x509_strict', '-check_ss_sig', ...options, ...trusting]
      const { code, stdout, stderr } = await run('openssl', [...strict, at('leaf.pem')])
      if (code !== 0) problems.push((stderr || stdout).trim())
    }
    for (const der of lists) {
      const { code, stderr } = await run('openssl', ['crl', '-noout', '-CAfile', at('chain.pem')], {
        stdin: encodePem('X509 CRL', der),
      })
      if (code !== 0 || !stderr.includes('verify OK')) problems.push(stderr.trim())
    }
    return problems
  })
}

const purposeOids: Record<Purpose, string> = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' }

const noDebian = { skipped: 'it is not on PATH, and apt cannot fetch its package' }

const gnutls: Judge = async (folder, samples) => {
  const tools = await debianTools()
  if (tools === undefined) return noDebian
  return each(samples, async ({ name, chain: [, ...issuers], purposes, lists }) => {
    const at = (file: string): string => join(folder, folderOf(name), file)
    const problems: string[] = []
    const ask = async (args: readonly string[], list?: Uint8Array): Promise<string | undefined> => {
      const stdin = list === undefined ? {} : { stdin: encodePem('X509 CRL', list) }
      const { code, stdout, stderr } = await run(tools.command('certtool'), args, { env: tools.env, ...stdin })
      // Of a list it says more than its exit code does.
      const said = `${stdout}${stderr}`
      return code === 0 && !/Not verified/.test(said) ? undefined : said.replaceAll(/\s+/g, ' ').slice(-300)
    }
    const revocation = lists.length === 0 ? [] : ['--load-crl', at('lists.pem')]
    const trusting = ['--verify', '--load-ca-certificate', at('root.pem'), '--verify-profile', 'medium', ...revocation]
    const options: Record<Purpose, readonly string[]> = {
      server: ['--verify-purpose', purposeOids.server, '--verify-hostname', host],
      client: ['--verify-purpose', purposeOids.client],
    }
    for (const more of purposes.length === 0 ? [[]] : purposes.map((purpose) => options[purpose])) {
      const said = await ask([...trusting, ...more, '--infile', at('chain.pem')])
      if (said !== undefined) problems.push(said)
    }
    for (const der of lists) {
      const verify = ['--verify-crl', '--load-ca-certificate']
      const said = await Promise.all(issuers.map((_, index) => ask([...verify, at(`issuer-${index}.pem`)], der)))
      if (said.every((text) => text !== undefined)) problems.push(said.join(' '))
    }
    return problems
  })
}

const nss: Judge = async (folder, samples) => {
  const tools = await debianTools()
  if (tools === undefined) return noDebian
  const empty = mkdtempSync(join(tmpdir(), 'dbtls-nss-'))
  try {
    await must(tools.command('certutil'), ['-N', '-d', `sql:${empty}`, '--empty-password'], { env: tools.env })
    return await each(samples, (sample) => askNss(tools, empty, join(folder, folderOf(sample.name)), sample))
  } finally {
    rmSync(empty, { recursive: true, force: true })
  }
}

/** SSL client, SSL server, any CA. */
const nssUsages = { client: '0', server: '1', authority: '11' } as const

/** In a database of its own, since revocation lists count for all that is in one. */
const askNss = async (
  tools: DebianTools,
  empty: string,
  at: string,
  { chain, lists, purposes }: Sample,
): Promise<string[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-nss-'))
  const problems: string[] = []
  const expect = async (command: string, ...args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await run(tools.command(command), ['-d', `sql:${folder}`, ...args], {
      env: tools.env,
    })
    const said = `${stdout}${stderr}`
    if (code !== 0 || said.includes('ERROR')) problems.push(`${command}: ${said.replaceAll(/\s+/g, ' ').trim()}`)
  }
  const input = join(folder, 'input.der')
  try {
    cpSync(empty, folder, { recursive: true })
    for (const [index, der] of chain.entries()) {
      if (index === 0 && chain.length > 1) continue
      writeFileSync(input, der)
      const trust = index === chain.length - 1 ? 'CT,C,C' : ',,'
      await expect('certutil', '-A', '-n', `ca-${index}`, '-t', trust, '-i', input)
    }
    for (const der of lists) {
      writeFileSync(input, der)
      await expect('crlutil', '-I', '-i', input)
    }
    // Both of its verifiers; the second leaves out revocation lists that were imported.
    for (const usage of purposes.length === 0 ? (['authority'] as const) : purposes)
      for (const verifier of [[], ['-pp']])
        await expect('vfychain', ...verifier, '-u', nssUsages[usage], '-a', join(at, 'leaf.pem'))
    return problems
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const java: Judge = async (folder, samples) => {
  if (await missing('java', '-version')) return { skipped: 'there is no java on PATH' }
  const { stdout } = await must('java', [join(here, 'java', 'PathOracle.java'), folder])
  return linesOf(stdout, samples)
}

const go: Judge = async (folder, samples) => {
  if (await missing('go', 'version')) return { skipped: 'there is no go on PATH' }
  const program = await goProgram('go')
  if (program === undefined) return { skipped: 'test/oracles/go cannot be built' }
  return linesOf((await must(program, ['samples', folder, host])).stdout, samples)
}

const zlint: Judge = async (folder, samples) => {
  if (await missing('go', 'version')) return { skipped: 'there is no go on PATH' }
  const program = await goProgram('zlint')
  if (program === undefined) return { skipped: 'test/oracles/zlint cannot be built; it wants Go 1.25 and its modules' }
  return linesOf((await must(program, [folder])).stdout, samples)
}

const inPython =
  (mode: string, ...args: string[]): Judge =>
  async (folder, samples) => {
    if (await missing('python3', '-c', 'import venv, ensurepip'))
      return { skipped: 'there is no python3 with venv on PATH' }
    const python = await pythonInterpreter()
    if (python === undefined) return { skipped: 'pip cannot install test/oracles/python/requirements.txt' }
    const { stdout } = await must(python, [join(here, 'python', 'samples.py'), mode, folder, ...args])
    return linesOf(stdout, samples)
  }

/** Reads what the others read, so that all speak of the same bytes. */
const own: Judge = (folder, samples) =>
  each(samples, (sample) => {
    const at = (file: string): string => readFileSync(join(folder, folderOf(sample.name), file), 'utf8')
    const lists = sample.lists.length === 0 ? [] : decodePem(at('lists.pem')).map(({ der }) => der)
    return Promise.resolve(ownProblems({ ...sample, chain: certificatesOf(at('chain.pem')), lists }))
  })

export const judges = {
  openssl,
  gnutls,
  nss,
  java,
  go,
  python: inPython('verify', host),
  zlint,
  pkilint: inPython('lint'),
  own,
} as const

export type JudgeName = keyof typeof judges
