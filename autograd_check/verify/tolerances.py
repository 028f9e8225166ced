"""Every number that a verdict rests on, once, with its derivation, its source or its measurement.

What sets the size of a test (how many draws, how many entries at a time) stands with the code that it is about. "132 verdicts"
are those of tests/vary_tolerances.py: hard right functions, single wrong entries, errors that depend on the cotangent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# --- Precision -------------------------------------------------------------------------------------------------------
EPS = torch.finfo(torch.float64).eps
"""Unit in the last place of 1. Source: IEEE 754, binary64."""
SINGLE_EPS = torch.finfo(torch.float32).eps
"""The same of float32. Source: IEEE 754, binary32."""
HALF_UNIT = SINGLE_EPS / 2
"""How far a constant moves that is made without a dtype. Derivation: rounding to nearest moves by half a unit at most."""

# --- Every entry against the reference -------------------------------------------------------------------------------
RELATIVE = 1e-10
"""Error of a right gradient, relative to its entry.

Source: verification.md, the order of the checks. Derivation: a formula of n = 10⁵ roundings leaves 8·√n·eps = 6e-13; the rest
is room for formulas that are right and numerically poor.
"""
ABSOLUTE = 1e-13
"""The same relative to the largest entry. Derivation: sums of n = 10⁵ terms of that size round to √n·eps = 7e-14."""
SPREAD = 4.0
"""Movement of the reference that is granted, over the largest seen. Derivation: of two draws the larger is below a quarter of the most
that is possible in one entry of 16, and what is possible is not what happens: the entry would have to be at its worst as well."""
SPREAD_DRAWS = 2
"""How often its inputs are moved. Derivation: see `SPREAD`."""
NUDGE = 8
"""By how many units in the last place they are moved. Derivation: a right formula may compute its inputs anew (a mean
subtracted, a logit shifted) in about so many roundings."""
NEGLIGIBLE = 1e-11
"""An error, relative to the largest entry, that is not a mistake. Derivation: ten times the 1e-12 that people add to keep a
quotient or a logarithm finite."""
SIX_DIGITS = 1e-6
"""How far such an entry may be off relative to itself. Derivation: an entry below `NEGLIGIBLE` / 1e-6 = 1e-5 of the largest
then carries at least six digits, more than any use of it."""

# --- float32 on the way ----------------------------------------------------------------------------------------------
SINGLE = 4e-6
"""Largest error, relative to the largest entry, of numbers that float32 took part in.

Derivation: 2⁻²⁴ times the 64 roundings of a layer written in temporaries. Measured: the float32 implementations among 588
right ones are good to 1e-8 to 1e-6 (verification.md).
"""
UNSEEN = 4 * HALF_UNIT
"""Error that is put down to float32 without a witness. Derivation: two constants and two temporaries, half a unit each; numpy
and math show torch no dtype."""
OFTEN = 0.3
"""Share of the entries that float32 must have moved. Derivation: rounding to 24 bits leaves a 53-bit number alone once in 2²⁹;
a third allows for gradients of which two thirds are zeros that a mask made."""
UNEVEN = 0.05
"""Least spread of relative errors, over their mean, that tells rounding from a factor. Derivation: uniform errors have 1/√3 = 0.58, one
factor for all entries 0; a tenth of the former leaves room for temporaries that many entries share."""
OWN_PRECISION = 16.0
"""Error of a gradient in its own precision over what moves the exact one, and over roundings of the largest entry.
Derivation: √n for the 256 terms of a dot product (Higham and Mary, 2019, theorem 2.4)."""
OWN_NUDGE = 4
"""Units in its last place by which an input of low precision is moved. Derivation: half of `NUDGE`; low precision accumulates
in a higher one on most devices."""

# --- Linearity, and what rounding does to a gradient -----------------------------------------------------------------
COTANGENT = 0.5, 2.0
"""Least and greatest size of a cotangent's entries. Derivation: a mistake in an entry shows at half its size at least; a factor
of four between entries tells them apart, and leaves the digits of a sum."""
GRANTED = 4.0
"""Error of a slope over ‖u·δ‖₂ for errors δ of the entries that the user grants. Derivation: the signs of u are random, so the slope's error has
that for its standard deviation, whatever the errors' own signs; four of them are passed once in 16,000."""
REPEATS = 4
"""How often a backward is asked again where the user lets it differ. Derivation: as `DRAWS`."""
LAST_BITS = 1e-10
"""How far a forward may differ from run to run, relative to its largest entry, and be measured in place of refused. Derivation: `RELATIVE`."""
LARGE = 2.0**10
"""How much larger the second cotangent is. Derivation: what clips a gradient, or adds a constant to it, acts at a size of its
own; a thousand times apart one of two sizes meets it. A power of two adds no rounding."""
SMALL = 2.0**-10
"""Size of the third cotangent's one entry. Derivation: as `LARGE`, to the other side: what is lost below a size is lost there."""
WEIGHTS = 4.0, 1 / LARGE, 1.0
"""Of the linearity check: v of the combination αd₁ + βd₂ + γd₃ is that of the three answers.

Derivation: the combination is all ones, what a plain sum sends. d₃ is zero but for one small entry, so that
d₂ = (1 − 4 d₁ − d₃)/β has the signs that d₁ (at least ½ in size) has not: every entry is seen with both.
"""
GAIN = 2 * (WEIGHTS[0] + LARGE * WEIGHTS[1] + SMALL * WEIGHTS[2])
"""Size of all that the linearity check adds up, in sizes of the first cotangent. Derivation: the sum of its terms, twice."""
RESOLUTION = 1e-11
"""What no gradient is asked to be more linear than, relative to its largest entry.

Measured on torch's operator database (torch 2.13, float64 and complex128): the roundings of matrix_exp, logcumsumexp, the
complex householder_product and svd_lowrank leave up to 1e-12, all others less than 1e-13.
"""
GROWTH = 8.0
"""Units in the last place for each √n. Source: sums of n terms of one size round to √n of them (Higham and Mary, 2019,
theorem 2.4, whose constant λ = 8 fails once in 10¹⁴)."""
ROUNDINGS = 16.0
"""How much more than it was seen to move a gradient may be off. Derivation: of `DRAWS` draws the worst entry of many is wanted;
the largest of four uniform draws is below a sixteenth of the range once in 65,536 entries."""
COARSE = 2.0**-28
"""How coarsely every operation rounds when its effect is measured. Derivation: the geometric middle, 2²⁴ above float64's
rounding and as far below 1, where a function bends."""
DRAWS = 4
"""How often a gradient is run with coarse rounding. Derivation: see `ROUNDINGS`."""

# --- Slopes: finite differences --------------------------------------------------------------------------------------
RATIO = 4.0
"""Of one step to the next. Derivation: a power of two keeps steps exact; sixteenfold smaller errors a level."""
STEPS = {torch.float64: (2.0**-6, 2.0**-30), torch.float32: (2.0**-3, 2.0**-11)}
"""Largest and smallest step. Derivation: h⁶ (two columns of Richardson) meets eps/h at h = 2⁻⁷; where a function bends on a
scale a million times finer the smallest step still leaves eps/h = 2⁻²². In float32 the same with 24 bits."""
ASYMPTOTIC = 8.0, 32.0
"""Ratio of successive differences that counts as the 16 of a second-order formula. Derivation: a factor of two to each side."""
SIGNIFICANT = 3.0
"""Differences below this many times their noise are noise. Derivation: three standard deviations."""
ROUNDOFF = 1.5
"""Round-off of a difference quotient, over noise / h. Source: verification.md, Probes. Measured: 0.75 to 6 give the same 132 verdicts;
at 0.375 a right function and its inverse become inconclusive."""
VETO = 4.0
"""A finer level overrules a coarser one from which it differs by more combined errors. Derivation: four standard deviations."""
CHANCE = 1e-6
"""Two differences that agree with a gradient to this share of what an estimate misses it by do not do so by chance. Derivation: its square."""
FADING = 0.5
"""A gap that falls to this share of itself from one level to the next is the step's own. Derivation: an error of a gradient
stays the same at every step, one of the step falls to a sixteenth; half lies well between."""
TICKS = -22, -13, -5, 0, 7, 16, 23
"""Where noise is measured, in smallest steps. Source: Moré and Wild, 2011, section 3, six to eight points. Derivation: what rounds to
multiples of q looks linear where a step moves it by nearly a multiple; unequal distances show that unless it is within 1/46 of one."""
COARSE_TICKS = 2.0**11, 2.0**19
"""How much wider apart they are for a function that rounds more coarsely than its inputs. Derivation: a hidden float32 has lost
29 bits, an offset of 10⁶ twenty."""
NOISE_FLOOR = 2.0
"""Noise of a difference, in eps·‖f·dout‖. Derivation: each of its two values is rounded once."""
BEND = 8.0
"""A bend below this many times its noise says nothing. Derivation: it is a second difference, of three values with weights 1, 2
and 1: its noise is √6 of theirs, times three standard deviations."""
HUM = 32.0
"""An output below this many times its own noise may be nothing but noise. Derivation: the noise is measured on seven points, and a
sum of cancelling terms is larger than it by their number's root: 32 = √1000. Measured: 8 to 128 give the same 132 verdicts."""
QUIET = 1e-10
"""A slope below the rounding error, where that is below this share of the output, is zero to floating point. Derivation:
`RELATIVE`: beside such an output an entry would not be told from a right one."""
ROUGH = 1e-4
"""A function that changes by this share of itself between the smallest steps has no slope that they could measure.
Derivation: its slope would be 2³⁰·1e-4 = 10⁵ times its size."""
STANDS_STILL = 2.0**-22
"""A function that does not change at all over steps from this one down has slope zero. Derivation: float32 on the way rounds to 2⁻²⁴, and
would have changed."""
KINK = 0.5, 1.1
"""One-sided slopes that stay apart: what a level keeps of the bend before, and how far within it a subgradient lies.
Derivation: a smooth bend falls to a quarter, a kink keeps all; half is between (at a quarter wrong entries pass for kinks). A
tenth for its noise."""
SAME, JUMP = 0.1, 2.0**-22
"""How far what steps cross may differ for it to be one jump, and its least size. Derivation: a smooth function's falls to a quarter; the noise of
a hidden float32 is an eighth of it at most."""
STEADY = 0.1
"""Quotients that agree with each other to this share of a gap make it a gap. Derivation: they would have to change tenfold.
Measured: 0.025 to 0.4 give the same 132 verdicts."""

# --- Functions that know one precision --------------------------------------------------------------------------------
ACCUMULATED = 8.0
"""Roundings in float32 that a sum in any precision may add, over one. Derivation: kernels add up in float32, one block after another; K terms
leave √(K/6) roundings of the sum's own size, 8 for 400 blocks."""
KERNEL_DRAWS = 8
"""How often a definition is run with every operation rounding anew. Derivation: the standard deviation of eight is right to a quarter."""
KERNEL_SIGMAS = 8.0
"""Standard deviations that an entry may be off. Derivation: five pass once in 10⁶ entries; the rest is for the quarter of `KERNEL_DRAWS`, and for
a kernel that rounds a few more times than its definition has operations."""
POOLED = 0.25
"""Least deviation that is granted to an entry, over the mean of its tensor. Derivation: entries that cancel round as their neighbours do; a
quarter of the draws' own doubt."""
KERNEL_STEPS = {
    torch.float64: (2.0**-6, 2.0**-18),
    torch.float32: (2.0**-3, 2.0**-9),
    torch.float16: (1.0, 2.0**-6),
    torch.bfloat16: (1.0, 2.0**-4),
}
"""Largest and smallest step in sizes of the input. Derivation: a linear kernel is best moved by its own size, where p bits of an output leave
2⁻ᵖ of a slope; three or four levels below show how far it bends, and end where rounding takes an eighth."""
KERNEL_DIRECTIONS = 16
"""Directions through a whole tensor. Derivation: noise falls with their root, to a quarter."""
KERNEL_MORE = 16
"""How many times more of them are taken where they leave a common factor open. Derivation: noise falls to another quarter."""
KERNEL_GROUPS = 64
"""In so many groups the entries are moved as well. Derivation: a group of 64 entries shows one that is wrong by its own size in eight parts of
noise; more groups cost more than the kernel's author would wait for."""
NOISY = 3.0
"""Bound on what noise leaves over, in `ROUNDOFF`·noise/h. Derivation: a quotient of two values, each rounded once, has the deviation 0.7·noise/h;
these are six of them."""
LEAST_GRAIN = 3.0**-0.5
"""Least noise of an output's entry, in units of its round-off. Derivation: the deviation of what is uniform between −1 and 1."""
TOO_COARSE = 0.1
"""A factor common to all entries that is hidden by more than this leaves nothing judged. Source: gradcheck.md: a tenth off in bfloat16 is failed."""

# --- Verdicts from slopes --------------------------------------------------------------------------------------------
SAFETY = 8.0
"""Error bound over error estimate. Source: verification.md, Probes. Measured: at 2 none of 48 hard right functions fails; at 16 one
entry of 4,000 that is off by 1e-7 passes."""
PRECISION = 3e-10
"""How far, relative to its size, a gradient may be off that is right. Measured: torch's own formula of digamma."""
INCONCLUSIVE_SHARE = 0.05
"""A bound wider than this share of the signal decides nothing. Derivation: a factor (N − 1)/N with 20 rows would fit in."""
TIGHT = 1e-5
"""Agreement to this share of the signal is not a coincidence, however the ladder looked. Derivation: once in 10⁵ by chance."""
CLOSE = {"uniform": 1e-9, "relative": TIGHT}
"""What a quick measurement must resolve, as a share of the signal. Derivation: one entry of 100,000 that is off by 1e-3 changes
a slope by 1e-3/√10⁵ = 3e-6. The second opinion rests on one step, which leaves 1e-7 of all that moves."""
BENDS = 2.0**-3
"""On what share of a tensor's size a function is taken to bend where that is not seen. Derivation: two steps of 2⁻⁶ and 2⁻⁸ then claim a
sixty-fourth; a wrong claim costs a second look, since what passes agrees to `CLOSE` all the same."""
NEAR = {"uniform": (2.0**-5, 2.0**-7), "relative": (2.0**-10,)}
"""Steps of a measurement in which all tensors move at once, as shares of the largest. Derivation: h⁴ at 2⁻¹¹ leaves nothing, eps/h at 2⁻¹³ is
2e-12; a second opinion needs 1e-5 only, and h² at 2⁻¹⁶ is 2e-10. Measured: fewest evaluations on torch's operator database (2⁻⁸ to 2⁻¹³)."""
FAR = {"uniform": (1.0, 2.0**-2, 2.0**-4), "relative": (1.0, 2.0**-2)}
"""The same for what rounding drowned at those. Derivation: 64 times as far leaves a sixty-fourth of eps/h; two columns of Richardson keep h⁶."""
STILL = {"uniform": (1.0,), "relative": (2.0**-6,)}
"""The same where the gradient is zero. Derivation: a function that is constant is so at the largest step as well; the second opinion looks
64 times nearer, for what comes back to its value at the largest."""
CONSTANT = 1.0, 2.0**-4, 2.0**-8
"""At which shares of a settled step a function that is constant has to stand still. Derivation: as `STILL`, and once in between."""
FINER = 2.0**8
"""How much smaller the steps of a second quick measurement are. Derivation: from 2⁻¹⁴ on a step crosses one kink where it crossed 256, and eps/h at
2⁻¹⁸ is 6e-11, within what `CLOSE` asks for."""
FAINT = EPS
"""A slope of this share of an output of ones, beside an output that is zero, is a tail that rounding took off. Derivation: eps."""
RESOLVED = 1e-6
"""What a direction should resolve, as a share of the signal, else a longer one is tried. Derivation: a mistake worth grading
(1e-3) in one entry of a million."""
SHORT = 2.0**-7
"""Tensors of at most this size are tried with a direction of size 1 as well. Derivation: below it the largest step, 2⁻⁶ of
their size, moves a sum with 1 by less than 2⁻¹³, and h² falls below half of the digits."""
MOVED = 2.0**-7
"""By what share of its size a point that lies on a kink is moved. Source: verification.md, Probes."""

# --- Single entries without a reference ------------------------------------------------------------------------------
NARROWEST = 2.0**-4
"""An entry far smaller than the others moves as if it were this share of their root mean square. Derivation: how far a function
bends is set by the whole tensor; h⁶ at 2⁻⁶·2⁻⁴ leaves nothing, and round-off grows sixteenfold at most."""
DOUBTFUL = 4.0
"""A half whose error is known as a rest is measured itself where it is below this many tolerances. Derivation: two tolerances
went into it, and each may be off by one."""
PRECISE = 1e-9
"""How closely, relative to itself, an entry is known that was measured alone. Derivation: as `CLOSE`."""
AGREES = 1e-8
"""Entries that agree with measured ones to this are not part of a mistake. Derivation: ten times `PRECISE`."""
TAPED = 1e-10
"""What differs from a gradient that autograd took of the same forward, relative to the largest entry. Derivation: `RELATIVE`."""
LOOSE = 1e-6
"""The same where every entry comes from differences. Derivation: an entry of a thousandth of the largest is known to `PRECISE`
times a thousand, which is this."""


@dataclass(frozen=True)
class Leave:
    """What the user grants on top of what is measured: errors of atol + rtol·|expected|, and repeats that differ by up to `nondet`."""

    atol: float = 0.0
    rtol: float = 0.0
    nondet: float = 0.0

    def of(self, expected: Tensor) -> Tensor:
        """The error that is granted to every entry."""
        return self.atol + self.rtol * torch.nan_to_num(expected.detach().abs(), 0.0, 0.0, 0.0)

    def __bool__(self) -> bool:
        return self.atol > 0 or self.rtol > 0


NO_LEAVE = Leave()
"""What is granted where the user grants nothing. Derivation: nothing at all; the tolerance is then what is measured."""


def gradient_tolerance(reference: Tensor, spread: Tensor | None = None) -> Tensor:
    """1e-10·|r| + 1e-13·max|r| for every entry, widened by the measured `spread` (condition) of the reference."""
    size = torch.nan_to_num(reference.abs(), nan=0.0, posinf=0.0)
    largest = size.max() if size.numel() else size.sum()
    tolerance = RELATIVE * size + ABSOLUTE * largest
    return tolerance if spread is None else tolerance + torch.nan_to_num(spread, nan=0.0, posinf=0.0)


def of_its_size(size: float, count: int, eps: float = EPS) -> float:
    """The rounding of entries of at most `size`, made of sums of at most `count` terms, in an arithmetic of precision `eps`."""
    return max(RESOLUTION, GROWTH * math.sqrt(count) * eps) * size
