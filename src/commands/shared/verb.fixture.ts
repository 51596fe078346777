/** For tests of verbs: a state folder made by `render`, and a verb run on it with what it printed. */

import { lchownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach } from 'vitest'
import type { Cluster } from '../../cluster/port.ts'
import type { Io, Main } from './io.ts'
import { main as render } from '../embedded/render.ts'
import { openTarget } from './target.ts'

export interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

export const runVerb = async (main: Main, args: readonly string[], io: Partial<Io> = {}): Promise<Answer> => {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const texts = ['', '']
  for (const [at, stream] of [out, err].entries()) stream.on('data', (chunk) => (texts[at] += String(chunk)))
  const code = await main(args, { env: {}, ...io, stdout: out, stderr: err } as unknown as Io)
  return { code, out: texts[0] ?? '', err: texts[1] ?? '' }
}

/** The uid and gid that own nothing. */
const nobody = 65534

/** A folder that each test finds empty, with `state` inside. */
export const useFolder = () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dbtls-verb-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const path = (...names: string[]): string => join(folder, ...names)
  return {
    path,
    /** The flags that name the state. */
    get state(): string[] {
      return ['--state', path('state')]
    },
    file: (name: string, contents: string | Uint8Array): string => {
      writeFileSync(path(name), contents)
      return path(name)
    },
    /** Lets the controllers do what the manifests, and the state so far, ask for. */
    render: (manifests: string, ...args: string[]): Promise<Answer> => {
      writeFileSync(path('m.yaml'), manifests)
      return runVerb(render, ['-f', path('m.yaml'), '--out', path('out'), '--state', path('state'), ...args])
    },
    /** Does the work as a user who owns the folder and nothing else: root may read and write what is closed to others. */
    unprivileged: async <T>(work: () => Promise<T>): Promise<T> => {
      if (process.getuid?.() !== 0) return work()
      for (const name of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })])
        lchownSync(join(folder, name), nobody, nobody)
      process.setegid?.(nobody)
      process.seteuid?.(nobody)
      try {
        return await work()
      } finally {
        process.seteuid?.(0)
        process.setegid?.(0)
      }
    },
    /** Looks into the state, or changes it behind the back of the verbs. */
    inState: async <T>(work: (cluster: Cluster) => Promise<T>): Promise<T> => {
      const target = await openTarget({ state: path('state') }, { env: {} }, { create: true })
      try {
        return await work(target.cluster)
      } finally {
        target.close()
      }
    },
  }
}

export const authorityYaml = (name = 'ca', spec = ''): string => `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: ${name}, namespace: data}
spec: {source: {selfSigned: {}}, subject: {commonName: Test ${name}}${spec === '' ? '' : `, ${spec}`}}
---
`

export const certificateYaml = (name = 'orders', spec = '', authority = 'ca'): string => `apiVersion: dbtls.dev/v1alpha1
kind: DatabaseCertificate
metadata: {name: ${name}, namespace: data}
spec:
  authorityRef: {name: ${authority}}
  dnsNames: [${name}.data.svc]
  secret: {name: ${name}-tls}
${spec}
---
`

export const profileYaml = (
  name = 'orders',
  spec = 'clients: []',
  engine = 'MySQL',
): string => `apiVersion: dbtls.dev/v1alpha1
kind: DatabaseTLSProfile
metadata: {name: ${name}, namespace: data}
spec: {engine: ${engine}, authorityRef: {name: ca}, topology: {services: [${name}]}, ${spec}}
---
`
