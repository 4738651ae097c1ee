/**
 * Amounts as people read them.
 */
import { formatEther } from "viem/utils"

/** An amount of wei in ether, for people. */
export const ether = (wei: bigint): string => `${formatEther(wei)} ETH`
