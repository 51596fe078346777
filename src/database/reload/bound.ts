/**
 * How much a driver may be sent. None of them has a bound of its own, and some open their sockets where nobody else has a hand on
 * them, so Node is asked for every socket that is opened in the course of the work.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../runtime/clock.ts'

const everyMs = 20

const openers = new AsyncLocalStorage<Set<Socket>>()

let isListening = false
const listen = (): void => {
  if (isListening) return
  isListening = true
  // https://nodejs.org/api/diagnostics_channel.html#event-netclientsocket
  subscribe('net.client.socket', (message) => {
    openers.getStore()?.add((message as { readonly socket: Socket }).socket)
  })
}

export interface Bound {
  readonly clock: Clock
  /** On all sockets of the work together. */
  readonly mostBytes: number
  readonly signal: AbortSignal
}

/** Settles as `work` does; `tell` is called where its sockets have received more than the bound. */
export const heardBeyond = async (
  { clock, mostBytes, signal }: Bound,
  work: () => Promise<void>,
  tell: () => void,
): Promise<void> => {
  listen()
  const sockets = new Set<Socket>()
  let timer: Timer | undefined
  const look = (): void => {
    const heard = [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    if (heard > mostBytes) tell()
    else if (!signal.aborted) timer = clock.setTimer(everyMs, look)
  }
  look()
  try {
    await openers.run(sockets, work)
  } finally {
    timer?.cancel()
  }
}
