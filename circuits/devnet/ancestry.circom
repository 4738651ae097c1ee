// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "../ancestry.circom";

component main {public [endHash, checkpointHash]} = Ancestry(8);
