import { setFlagsFromString } from 'node:v8'

/**
 * Lets the heap grow slowly and shrink when there is nothing to do. By default V8 sizes it by the machine's memory: after
 * the issuance of some thousand certificates most of what a long-running process occupies is garbage that nobody collects,
 * because a program at rest allocates too little to cause a collection, and V8 judges by the rate of the busy time before.
 */
export const favourMemory = (): void => setFlagsFromString('--optimize-for-size')
