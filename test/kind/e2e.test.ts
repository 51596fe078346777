/** In this order: the last ones take away what the others need, and look at what all have done. */
// Side by side.
await import('./cases/quickstart.ts')
await import('./cases/databases.ts')
await import('./cases/everyday.ts')
await import('./cases/namespace.ts')
// One after the other.
await import('./cases/usage.ts')
await import('./cases/drift.ts')
await import('./cases/rotation.ts')
await import('./cases/removal.ts')
await import('./cases/rights.ts')
