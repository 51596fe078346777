/** `dbtls sign`: what `openssl ca -in req.pem` does, under the rules of a CertificateAuthority and with its ledger. */

import { createHash } from 'node:crypto'
import { commonNameOf } from '../../pki/names/names.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { Io } from '../shared/io.ts'
import { UsageError, type Values, wholeNumber } from '../shared/options.ts'
import { outputFlags, outputForm, outputUsage, writeProblem } from '../shared/present.ts'
import { parseName, targetFlags, targetUsage, type Target, targetVerb } from '../shared/target.ts'
import { type Delivery, deliverSigned, tellAdmissible, tellRefused, tellSignable } from './answer.ts'
import { signLive } from './live.ts'
import { signOffline } from './offline.ts'
import { reserveFile } from './output.ts'
import { preview } from './preview.ts'
import { type Asked, certificateFor, readRequest } from './request.ts'
import type { Verdict } from './verdict.ts'

const usage = `usage: dbtls sign -f REQUEST --authority [NS/]NAME [options]

Signs a certificate request (PKCS#10) under the rules that hold for spec.request of a DatabaseCertificate, and keeps it in the
ledger. Subject, names and key are the request's. In a state folder it is signed once; on a cluster the operator signs, for a
DatabaseCertificate that this makes and that has the request signed again at each renewal until it is deleted.

  -f, --file FILE           the request, PEM or DER; - reads it from stdin
  --authority [NS/]NAME     the CertificateAuthority that signs
  --role ROLE               Server, Client or Peer; without role and usages those that the request asks for
  --usages A,B              instead of a role, as in spec.usages: digitalSignature,clientAuth
  --duration TIME           90d, 2160h (default: 90d, or the maxDuration of the CA's policy where that is shorter)
  --chain                   the CAs above it, too, without the root
  --out FILE                write the certificate there instead of to stdout
  --force                   also over a file that is there
  --dry-run                 say whether it would be signed, and what, field by field; nothing is signed or kept
  --timeout SECONDS         how long to wait for the operator, or for another dbtls that has the state folder (default: 60)
${targetUsage}${outputUsage}  --help                    this text

The namespace (-n) is that of who asks, for spec.allowedNamespaces of the CA, and on a cluster that of the DatabaseCertificate
and its Secret; default: the CA's own.

Examples:
  dbtls sign -f payments.csr --authority data/orders-ca --state .dbtls/state --out payments.crt
  dbtls sign -f payments.csr --authority data/orders-ca --state .dbtls/state --dry-run
  dbtls sign -f payments.csr --authority data/orders-ca -n apps --chain --out payments.crt
  openssl req -new -key k.pem -subj /CN=app | dbtls sign -f - --authority data/orders-ca --role Client --state .dbtls/state

Exit codes: 0 done, 1 it is not signed (each reason on stderr), 2 wrong usage.
`

const flags = {
  file: { type: 'string', short: 'f' },
  authority: { type: 'string' },
  role: { type: 'string' },
  usages: { type: 'string' },
  duration: { type: 'string' },
  chain: { type: 'boolean', default: false },
  out: { type: 'string' },
  force: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
  timeout: { type: 'string', default: '60' },
  ...targetFlags,
  ...outputFlags,
} as const

const mostSeconds = 86_400

type Given = Values<typeof flags>

/** A timeout that is none is told by the verb itself. */
const patience = ({ timeout }: Given, io: Io) => ({
  patience: {
    ms: Math.min(Number(timeout) || 0, mostSeconds) * 1000,
    onWait: (message: string) => writeProblem(io, `waiting    ${message}`),
  },
})

const sign = async (target: Target, values: Given, words: readonly string[], io: Io): Promise<number> => {
  const form = outputForm(values.output)
  const timeoutMs = wholeNumber('timeout', values.timeout, 1, mostSeconds) * 1000
  if (words.length > 0) throw new UsageError(`name the request with -f, not "${words[0] ?? ''}"`)
  if (values.file === undefined) throw new UsageError('name the request with -f FILE; - is stdin')
  const authority = parseName('--authority', values.authority, target.namespace)
  const namespace = values.namespace === undefined ? authority.namespace : target.namespace
  const { role, usages, duration, out: path } = values
  const dryRun = values['dry-run'] === true
  const asked = await readRequest(io, values.file)
  const wish = certificateFor(asked, { authority, namespace, name: nameFor(asked), role, usages, duration })
  const file = path === undefined || dryRun ? undefined : await reserveFile(path, values.force === true)
  try {
    const verdict = await judge(target, asked, wish, { dryRun, timeoutMs })
    const out = path === undefined || file === undefined ? undefined : { path, file }
    const delivery: Delivery = { authority, form, chain: values.chain === true, out, now: target.clock.now() }
    if (verdict.state === 'refused') return tellRefused(io, asked, verdict, delivery)
    if (verdict.state === 'admissible') tellAdmissible(io, verdict, delivery)
    else if (verdict.state === 'signable') tellSignable(io, verdict, delivery)
    else await deliverSigned(io, verdict, delivery)
    return 0
  } finally {
    await file?.release()
  }
}

export const main = targetVerb('sign', usage, flags, sign, patience)

const judge = (
  target: Target,
  asked: Asked,
  wish: DatabaseCertificate,
  { dryRun, timeoutMs }: { readonly dryRun: boolean; readonly timeoutMs: number },
): Promise<Verdict> => {
  if (!target.live) return signOffline(target, wish, dryRun)
  return dryRun ? preview(target, asked, wish) : signLive(target, wish, timeoutMs)
}

/** The same for each request with this key: its common name, as far as an object may be called so, and the key's hash. */
const nameFor = ({ request }: Asked): string => {
  const words = (commonNameOf(request.subject) ?? '').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  const called = words.slice(0, 40).replaceAll(/^-+|-+$/g, '')
  const hash = createHash('sha256').update(request.spki).digest('hex').slice(0, 8)
  return called === '' ? `request-${hash}` : `${called}-${hash}`
}
