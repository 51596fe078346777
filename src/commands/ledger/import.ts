/** `dbtls ledger import`: an existing folder of `openssl ca` taken over, or taken back after openssl worked on an export. */

import { stringify } from 'yaml'
import { dataOf } from '../../control/secrets.ts'
import { takeLine, type Taken, type Taker } from '../../ledger/openssl/import.ts'
import { importAuthority, type ImportedAuthority } from '../../pki/imports/authority.ts'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import { equal, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { Secret } from '../../resources/core.ts'
import { findAuthority, type Key, named, readLedger } from './entries.ts'
import { authorityFor, nameFor, passphraseSecretFor, secretFor } from './import-objects.ts'
import { type Folder, readFolder, readNewCertificate } from './import-read.ts'
import {
  createHeld,
  createSecret,
  isHalfImported,
  mergeAll,
  raiseRevocationListNumber,
  release,
  writeEntries,
} from './import-write.ts'
import { certificatesIn, lowest, readStored, sameKey } from './stored.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError } from '../shared/options.ts'
import { passphraseFlags, passphraseUsage, readPassphrase } from '../shared/passphrase.ts'
import { writeProblem } from '../shared/present.ts'
import { parseName, type Target, targetFlags, targetUsage, targetVerb } from '../shared/target.ts'

const usage = `usage: dbtls ledger import DIR [options]

Takes over a folder that "openssl ca" has worked on: its certificate and key become a CertificateAuthority, every line
of index.txt an entry of the ledger, revoked ones included, and the next revocation list has the number of crlnumber.
The manifest of the CertificateAuthority is printed, to be kept where manifests are.

Given again, or for an authority that exists already, it adds what is new in the folder, revokes what has been revoked
there, also where it is only on hold here, and takes nothing back. An import that was interrupted goes on.

  --authority [NS/]NAME     name of the CertificateAuthority (default: from its common name)
  --certificate FILE        the CA's certificate (default: DIR/cacert.pem, DIR/ca.crt, …)
  --key FILE                its private key, PEM in any form (default: DIR/private/cakey.pem, DIR/ca.key, …)
  --chain FILE              certificates above it, where it is no root (default: DIR/chain.pem, …)
  --dry-run                 only say what would be taken over, and print the manifest
${passphraseUsage}${targetUsage}  --help                    this text

Examples:
  dbtls ledger import /etc/ssl/corp-ca --authority data/corp-ca > corp-ca.yaml
  dbtls ledger import ./demoCA --authority data/demo --state .dbtls/state --passphrase-file pass.txt

Exit codes: 0 done, 1 nothing was taken over or not all (each reason on stderr), 2 wrong usage.
`

const flags = {
  authority: { type: 'string' },
  certificate: { type: 'string' },
  key: { type: 'string' },
  chain: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  ...passphraseFlags,
  ...targetFlags,
} as const

export const main = targetVerb(
  'ledger import',
  usage,
  flags,
  async (target, values, words, io) => {
    const [path, ...more] = words
    if (path === undefined || more.length > 0) throw new UsageError('name one folder')
    const { authority, certificate, chain, key: privateKey } = values
    const folder = await readFolder(path, { certificate, key: privateKey, chain })
    if (folder.problems.length > 0) return refuseLines(io, folder)
    const name = authority ?? nameFor(lowest(signersOf(folder)).subject)
    const key = parseName('--authority', name, target.namespace)
    const dryRun = values['dry-run'] === true
    return new Import(io, target, folder, key, dryRun, values['passphrase-file']).run()
  },
  (values) => ({ create: values['dry-run'] !== true }),
)

/** Any of these lines may be a revocation, so none is passed over. */
const refuseLines = (io: Io, { path, problems }: Folder): number => {
  for (const { number, problem } of problems.slice(0, mostShown))
    writeProblem(io, `${path}/index.txt:${number}: ${problem}`)
  if (problems.length > mostShown) writeProblem(io, `… and ${problems.length - mostShown} more`)
  const count = `${problems.length} line${problems.length === 1 ? '' : 's'}`
  writeProblem(io, `dbtls ledger import: nothing was taken over: correct ${count} of index.txt first`)
  return 1
}

const mostShown = 20

/** A file with certificates above it, too, may have them in any order. */
const signersOf = ({ certificate, path }: Folder): ReturnType<typeof certificatesIn> =>
  certificatesIn(certificate, `the CA's certificate in ${path}`)

class Import {
  readonly #io: Io
  readonly #target: Target
  readonly #folder: Folder
  readonly #key: Key
  readonly #dryRun: boolean
  readonly #passphraseFile: string | undefined

  constructor(io: Io, target: Target, folder: Folder, key: Key, dryRun: boolean, passphraseFile: string | undefined) {
    this.#io = io
    this.#target = target
    this.#folder = folder
    this.#key = key
    this.#dryRun = dryRun
    this.#passphraseFile = passphraseFile
  }

  async run(): Promise<number> {
    const present = await findAuthority(this.#target.cluster, this.#key)
    const fresh = present === undefined || isHalfImported(present)
    const [made, certificate] = fresh ? await this.#make() : [undefined, await this.#signerOf(present)]
    // Everything is looked at before the first write.
    const taken = await this.#take({ ...this.#key, uid: present?.metadata.uid ?? '', certificate })
    const merged = mergeAll(taken, present === undefined ? [] : await this.#ledger())
    for (const refused of merged.refused) writeProblem(this.#io, refused)
    if (merged.refused.length > 0)
      throw new CommandError(
        `nothing was taken over: the folder and the ledger of ${named(this.#key)} contradict each other`,
      )
    if (!this.#dryRun) await this.#write(made, present, taken)
    this.#report(taken, merged.unchanged)
    const manifest = made?.authority
    if (manifest !== undefined) this.#io.stdout.write(stringify(manifest, { lineWidth: 0 }))
    return 0
  }

  #ledger() {
    return readLedger({ cluster: this.#target.cluster, scope: undefined }, { authority: this.#key })
  }

  /** Rejects with CommandError where the CA cannot sign, with every reason. */
  async #make(): Promise<readonly [Made, ParsedCertificate]> {
    const { certificate, chain, path, privateKey } = this.#folder
    if (privateKey === undefined)
      throw new CommandError(`${path} has no private key under a usual name: name it with --key`)
    const passphrase = await this.#passphrase(privateKey)
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
    const verdict = await importAuthority({
      certificate: bytes(certificate),
      privateKey: bytes(privateKey),
      chain: chain === undefined ? undefined : bytes(chain),
      passphrases: passphrase === undefined ? [] : [passphrase],
      now: this.#target.clock.now(),
    })
    if (verdict.state === 'refused')
      throw new CommandError(`the CA cannot be taken over. ${verdict.problems.join(' ')}`)
    const imported = verdict.authority
    for (const warning of imported.warnings) writeProblem(this.#io, `note       ${warning}`)
    const made = {
      imported,
      passphrase,
      authority: authorityFor(this.#key, imported, passphrase !== undefined),
      secret: await secretFor(this.#key, imported, passphrase),
    }
    return [made, imported.certificate]
  }

  async #passphrase(privateKey: string): Promise<string | undefined> {
    const file = this.#passphraseFile
    if (!privateKey.includes('ENCRYPTED') && file === undefined) return undefined
    return readPassphrase(this.#io, { file, prompt: "The passphrase of the CA's private key" })
  }

  /** The certificate in the folder that is of the key of the authority. */
  async #signerOf(present: CertificateAuthority): Promise<ParsedCertificate> {
    const stored = await readStored(this.#target, present, this.#key)
    const signer = signersOf(this.#folder).find(({ spki }) => equal(spki, stored.certificate.spki))
    if (signer === undefined)
      throw new CommandError(
        `${named(this.#key)} exists and is another CA than the one in ${this.#folder.path}: choose another name with --authority`,
      )
    return signer
  }

  /** Every line with the certificate that belongs to it. */
  async #take(taker: Taker): Promise<Taken[]> {
    const taken: Taken[] = []
    let files = 0
    for (const line of this.#folder.lines) {
      const file = await readNewCertificate(this.#folder.path, line.line.serialNumber)
      if (file !== undefined) files += 1
      taken.push(takeLine(line, file, taker))
    }
    const lost = taken.filter(({ warning }) => warning !== undefined)
    if (files > 0 && lost.length === taken.length)
      throw new CommandError(
        `none of the certificates in ${this.#folder.path} was signed by "${formatDistinguishedName(taker.certificate.subject)}" with this key: ${lost[0]?.warning}`,
      )
    return taken
  }

  /** The authority is held until the rest is complete, and a half of it never signs or lists anything. */
  async #write(
    made: Made | undefined,
    before: CertificateAuthority | undefined,
    taken: readonly Taken[],
  ): Promise<void> {
    const { cluster } = this.#target
    let authority = before
    if (made !== undefined) {
      const { imported, passphrase, secret } = made
      if (passphrase !== undefined) {
        const wanted = passphraseSecretFor(this.#key, passphrase)
        await createSecret(cluster, wanted, (there) => there.data?.['passphrase'] === wanted.data?.['passphrase'])
      }
      // Before the authority, which would make a key of its own where it finds none.
      await createSecret(cluster, secret, (there) => sameKey(pemOf(there), imported.certificate))
      authority ??= await createHeld(cluster, made.authority)
    }
    // Before the first revocation: an operator answers that with a list, under a number that openssl has not given.
    await this.#raiseNumber(taken)
    const uid = authority?.metadata.uid ?? ''
    const entries = taken.map((one) => ({ ...one, entry: withAuthority(one.entry, uid) }))
    const merged = mergeAll(entries, before === undefined ? [] : await this.#ledger())
    const all = merged.create.length + merged.revoke.length
    await writeEntries(cluster, merged, (done) => {
      if (done % 2000 === 0) writeProblem(this.#io, `writing    ${done} of ${all}`)
    })
    if (made !== undefined) await release(cluster, this.#key)
  }

  async #raiseNumber(taken: readonly Taken[]): Promise<void> {
    const { cluster, clock } = this.#target
    const number = this.#folder.lastRevocationList
    if (number === undefined) return
    const entries = taken.filter(({ entry }) => entry.spec.revocation !== undefined).length
    await raiseRevocationListNumber(cluster, this.#key, { number, entries, now: clock.now() })
  }

  #report(taken: readonly Taken[], unchanged: number): void {
    const lost = taken.flatMap(({ number, entry, warning }) =>
      warning === undefined
        ? []
        : [
            `line ${number}: ${warning}; its serial number${entry.spec.revocation === undefined ? '' : ' and its revocation'} are kept`,
          ],
    )
    for (const sentence of lost.slice(0, mostShown)) writeProblem(this.#io, `note       ${sentence}`)
    if (lost.length > mostShown)
      writeProblem(this.#io, `note       … and ${lost.length - mostShown} more lines like that`)
    const revoked = taken.filter(({ entry }) => entry.spec.revocation !== undefined).length
    const number = this.#folder.lastRevocationList
    const counts = `${taken.length} certificate${taken.length === 1 ? '' : 's'}, ${revoked} of them revoked${unchanged === 0 ? '' : `; ${unchanged} were there already`}`
    const list = number === undefined ? '' : `; the last revocation list was number ${number}`
    writeProblem(this.#io, `${this.#dryRun ? 'would take' : 'took over '} ${named(this.#key)}: ${counts}${list}`)
    if (this.#folder.uniqueSubject === true)
      writeProblem(
        this.#io,
        'note       index.txt.attr says unique_subject = yes: set spec.policy.uniqueCommonName, if names shall go on to be unique',
      )
  }
}

interface Made {
  readonly imported: ImportedAuthority
  readonly passphrase: string | undefined
  readonly authority: CertificateAuthority
  readonly secret: Secret
}

const pemOf = (secret: Secret): string =>
  Buffer.from(dataOf(secret).get('tls.crt') ?? new Uint8Array()).toString('latin1')

const withAuthority = (entry: Taken['entry'], uid: string): Taken['entry'] => ({
  ...entry,
  spec: { ...entry.spec, authorityRef: { ...entry.spec.authorityRef, uid } },
})
