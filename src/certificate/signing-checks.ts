/**
 * Checks that are asked only when something has to be signed or written: a certificate that needs nothing is not disturbed
 * by the trouble of its authority, nor by a policy that came after it. Pure.
 */

import { type Check, stall, wait } from '../control/decision.ts'
import { renewalWindow, toTimestamp } from '../control/schedule.ts'
import { lifetimeOf, violationsOfWanted } from './judge.ts'
import type { Observed } from './observed.ts'

type CertificateCheck = Check<Observed>

const second = 1000

const authorityNotReady: CertificateCheck = ({ authority }) =>
  authority.state === 'notReady' ? wait('AuthorityNotReady', authority.message) : undefined

const revocationListMissing: CertificateCheck = ({ authority, revocationList }) => {
  if (authority.state !== 'usable' || revocationList?.state !== 'absent') return undefined
  return revocationList.made
    ? wait('RevocationListNotReady', `${authority.name} has not made its first revocation list yet.`)
    : stall(
        'RevocationListNotReady',
        `${authority.name} makes no revocation list, which an item of spec.secret.items asks for; set spec.crl there, or remove the item.`,
      )
}

/** The one that follows signs what cannot wait (early.ts). */
const authorityKeyless: CertificateCheck = ({ authority }) =>
  authority.state === 'usable' && authority.material.keyless === true
    ? wait(
        'AuthorityNotReady',
        `The owner of ${authority.name} has replaced it, and its key is gone. The next one signs when it is trusted everywhere; its status.rotation says who is waited for.`,
      )
    : undefined

const authorityGivenUp: CertificateCheck = ({ authority }) =>
  authority.state === 'usable' && authority.material.givenUp === true
    ? wait(
        'AuthorityNotReady',
        `${authority.name} was revoked, and signs nothing. The next one signs when it is trusted everywhere; its status.rotation says who is waited for.`,
      )
    : undefined

/** After its clock was set back an authority is signed anew first; one that is brought along is not Ready meanwhile. */
const authorityNotYetValid: CertificateCheck = ({ authority }, now) =>
  authority.state === 'usable' && authority.material.signer.notBefore > now
    ? wait(
        'AuthorityNotReady',
        `${authority.name} is not valid before ${toTimestamp(authority.material.signer.notBefore)}.`,
      )
    : undefined

/** A leaf that would be due as soon as it is issued is not issued. */
const authorityExpiring: CertificateCheck = ({ authority, resolved }, now) => {
  if (authority.state !== 'usable' || !('wanted' in resolved)) return undefined
  const { wanted } = resolved
  const duration = lifetimeOf(wanted, authority.policy?.rules)
  const left = authority.material.certificate.notAfter - now
  const least = Math.max(
    wanted.renewal.renewBefore === undefined ? 0 : Math.min(renewalWindow(wanted.renewal, duration), duration),
    Math.min(60 * second, duration / 10),
  )
  return left > least
    ? undefined
    : stall(
        'AuthorityExpiring',
        `The authority ends at ${new Date(authority.material.certificate.notAfter).toISOString()}, so a certificate would be due for renewal as soon as it is issued. Renew the authority first, or lower spec.renewBefore.`,
      )
}

const authorityForbids: CertificateCheck = ({ authority, resolved, secret }) => {
  if (authority.state !== 'usable' || !('wanted' in resolved)) return undefined
  const [first, ...others] = violationsOfWanted(authority, resolved.wanted)
  if (first === undefined) return undefined
  const kept = secret.state === 'present' && secret.ours
  const said = [first, ...others].map(({ message }) => message).join(' ')
  return stall(first.reason, kept ? `${said} The Secret stays as it is.` : said)
}

const keyInUse: CertificateCheck = ({ keyHolder, keyCompromised }) => {
  if (keyCompromised) return stall('KeyInUse', compromisedKeyMessage('spec.request'))
  return keyHolder === undefined
    ? undefined
    : stall('KeyInUse', `The key of spec.request is that of ${keyHolder}; make another key, and a request with it.`)
}

/** `where` the request stands. */
export const compromisedKeyMessage = (where: string): string =>
  `A certificate for the key of ${where} was revoked because the key is in other hands (keyCompromise); make another key, and a request with it.`

export const writingChecks: readonly CertificateCheck[] = [
  authorityNotReady, // Wait
  revocationListMissing, // Wait, or Stall where none is made
]

export const signingChecks: readonly CertificateCheck[] = [
  ...writingChecks,
  authorityKeyless, // Wait
  authorityGivenUp, // Wait
  authorityNotYetValid, // Wait
  authorityExpiring, // Stall
  authorityForbids, // Stall  policy and name constraints
  keyInUse, // Stall  a request for the key of a CA or of another certificate, or for one that others have
]
