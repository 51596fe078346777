/** What is done with one server: it is asked what it shows, or told to read its files and then asked. */

import { probe } from '../../database/connect/probe.ts'
import type { Sight } from '../../database/connect/sight.ts'
import { execute, takesStatements } from '../../database/reload/execute.ts'
import type { Account } from '../../database/reload/order.ts'
import { ReloadError } from '../../database/reload/reload-error.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import type { Clock } from '../../runtime/clock.ts'
import { type Reaching, reach } from '../reach.ts'
import type { Place } from '../topology.ts'
import type { Attempt } from './decide.ts'
import type { PlannedServer } from './plan.ts'

export interface Visit extends Reaching {
  readonly clock: Clock
  readonly server: PlannedServer
  /** Of the profile. */
  readonly place: Place
  /** DER. */
  readonly roots: readonly Uint8Array[]
  /** Absent: the servers are only asked. */
  readonly tell?:
    | {
        readonly account: Account
        readonly statements: readonly string[]
        /** Also where it shows what was delivered. */
        readonly always: boolean
      }
    | undefined
}

export interface Came {
  /** What it shows, upper-case hex; where several stand behind the name, the first that is not among the delivered. */
  readonly served?: string | undefined
  readonly told: boolean
  readonly lost: boolean
  readonly failure?: Attempt['failure']
}

/** Some servers take the statement and act on it a moment later: asked so often, so far apart, and not for longer, ms. */
const proofs = { most: 8, everyMs: 400, withinMs: 20_000 } as const

/** Rejects for what is no fault of a server alone. */
export const visit = async (visiting: Visit): Promise<Came> => {
  const { server, place, permits, signal, tell } = visiting
  const reached = await reach(server, place, visiting)
  if ('refused' in reached) return unreachable(reached.refused)
  signal.throwIfAborted()
  if ('fault' in reached) return unreachable(reached.fault.message)
  let came: Came = { told: false, lost: false }
  let told = tell !== undefined
  // One name may stand for many servers; the first that is not as it should be is told of.
  for (const address of reached.addresses) {
    const refusal = permits.refusal(address)
    if (refusal !== undefined) return unreachable(`${address}: ${refusal}`)
    came = await (tell === undefined ? ask(visiting, address) : tellOne(visiting, address, tell))
    told &&= came.told
    if (came.failure !== undefined || came.lost || came.served === undefined || !isDelivered(server, came.served)) break
  }
  return { ...came, told: told && came.told }
}

const unreachable = (message: string): Came => ({
  told: false,
  lost: false,
  failure: { reason: 'Unreachable', message },
})

const isDelivered = ({ delivered }: PlannedServer, serial: string): boolean =>
  delivered.some((one) => one.serial === serial)

const look = ({ clock, server, roots, signal, tell }: Visit, address: string): Promise<Sight> => {
  const { port, dialect, serverName } = server
  const certificate = tell?.account.certificate
  return probe({ address, port, dialect, serverName, roots }, { clock, signal, certificate })
}

const ask = async (visiting: Visit, address: string): Promise<Came> => {
  const { served, fault } = await look(visiting, address)
  visiting.signal.throwIfAborted()
  if (served !== undefined) return { served: served.serialNumber, told: false, lost: false }
  return unreachable(fault?.message ?? 'it shows no certificate')
}

const tellOne = async (
  visiting: Visit,
  address: string,
  { account, statements, always }: NonNullable<Visit['tell']>,
): Promise<Came> => {
  const { clock, server, roots, signal } = visiting
  const { port, dialect, serverName } = server
  if (!takesStatements(dialect)) throw new Error(`nothing is known to tell in ${dialect}`)
  const before = await look(visiting, address)
  signal.throwIfAborted()
  const { served, fault, problems = [] } = before
  if (served === undefined) return unreachable(fault?.message ?? 'it shows no certificate')
  const { serialNumber } = served
  // Somebody else has told it, or it was restarted.
  if (!always && isDelivered(server, serialNumber)) return { served: serialNumber, told: true, lost: false }
  // No password goes to a server that clients would not trust.
  if (problems.length > 0)
    return {
      ...{ served: serialNumber, told: false, lost: false },
      failure: {
        reason: 'ServerNotVerified',
        message: `of the certificate that the server shows: ${problems.join('; ')}`,
      },
    }
  const order = {
    ...{ address, port, serverName, account, statements },
    roots: roots.map((root) => encodePem('CERTIFICATE', root)),
  }
  try {
    await execute(dialect, order, { clock, signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof ReloadError)) throw error
    const { reason, message } = error
    return { served: serialNumber, told: false, lost: false, failure: { reason, message } }
  }
  return prove(visiting, address)
}

/** Whether it shows now what was delivered, and shows anything at all. */
const prove = async (visiting: Visit, address: string): Promise<Came> => {
  let seen: Sight | undefined
  const began = visiting.clock.monotonic()
  for (let count = 0; count < proofs.most; count += 1) {
    if (visiting.clock.monotonic() - began > proofs.withinMs) break
    if (count > 0) await visiting.clock.sleep(proofs.everyMs, visiting.signal)
    seen = await look(visiting, address)
    visiting.signal.throwIfAborted()
    if (seen.served !== undefined && isDelivered(visiting.server, seen.served.serialNumber)) break
  }
  if (seen?.served !== undefined) return { served: seen.served.serialNumber, told: true, lost: false }
  return { told: true, lost: true }
}
