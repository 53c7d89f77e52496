"""Loop schedules for CPUs by rules: TVM 0.27 has none for convolutions, whose loops then run as they are written.

Each generated function is one chain of blocks around at most one reduction (a convolution in NHWC or a matrix
product). A rule tiles the reduction so that a tile of results stays in vector registers: CHANNELS values of the last
dimension side by side, `rows` positions of the image above each other, the whole reduction inside. What comes before
is computed where it is used, what follows is done on the tile. Functions that no rule fits stay as they are."""

import tvm
from tvm import s_tir, tirx

CHANNELS = 16
REDUCTION = 2  # kind of a block's iterator
VECTORS = (2, 4, 8, 16, 32)
ROWS_AVX2, ROWS_AVX512 = 7, 14  # accumulators that fit into 16 or 32 vector registers beside the operands
PRODUCTS = ("matmul", "NT_matmul", "T_matmul")


def largest_divisor(number, limit):
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)


class Function:
    """One function under way."""

    def __init__(self, function):
        self.schedule = s_tir.Schedule(function)
        self.blocks = self.schedule.get_child_blocks(self.schedule.get_sblock("root"))

    def name(self, block):
        return self.schedule.get(block).name_hint

    def reduces(self, block):
        return any(int(v.iter_type) == REDUCTION for v in self.schedule.get(block).iter_vars)

    def extent(self, loop):
        return int(self.schedule.get(loop).extent)

    def vectorize(self, loop):
        if self.extent(loop) in VECTORS:
            self.schedule.vectorize(loop)

    # ---- rules ----

    def elementwise(self, block):
        """Vectors inside, everything else in one parallel loop."""
        loops = self.schedule.get_loops(block)
        if not loops:
            return
        width = largest_divisor(self.extent(loops[-1]), CHANNELS)
        if width in VECTORS:
            outer, inner = self.schedule.split(loops[-1], [None, width])
            self.schedule.vectorize(inner)
            loops = [*loops[:-1], outer]
        self.schedule.parallel(self.schedule.fuse(*loops) if len(loops) > 1 else loops[0])

    def inline_before(self, blocks):
        """Padding of a convolution is computed for itself: inlined it would be a condition in the innermost loop."""
        pads = [b for b in blocks if "pad" in self.name(b)]
        for block in blocks:
            if block not in pads:
                self.schedule.compute_inline(block)
        return pads

    def tile(self, block, following, rows, convolution):
        schedule = self.schedule
        kinds = [int(v.iter_type) for v in schedule.get(block).iter_vars]
        loops = schedule.get_loops(block)
        space = [loop for loop, kind in zip(loops, kinds) if kind != REDUCTION]
        inner = [loop for loop, kind in zip(loops, kinds) if kind == REDUCTION]
        channels = self.extent(space[-1])
        width = largest_divisor(channels, CHANNELS)
        if width < 4 and channels <= 2 * CHANNELS:
            width = channels  # three classes, say: a short loop is better than one of single values
        last = following[-1] if following else schedule.cache_write(block, 0, "local")
        outer_channels, inner_channels = schedule.split(space[-1], [None, width])
        row = None
        if convolution:
            batch, y, x = space[:3]
            outer_x, row = schedule.split(x, [None, largest_divisor(self.extent(x), rows)])
            schedule.reorder(batch, y, outer_x, outer_channels, *inner, row, inner_channels)
            outer, anchor = schedule.fuse(batch, y, outer_x), outer_channels
        else:
            schedule.reorder(*space[:-1], outer_channels, *inner, inner_channels)
            outer = anchor = schedule.fuse(*space[:-1], outer_channels)
        schedule.parallel(outer)
        if following:
            schedule.set_scope(block, 0, "local")
        schedule.reverse_compute_at(last, anchor)
        self.finish(block, last, inner[0], row, inner_channels, rows)

    def finish(self, block, last, first_reduction, row, inner_channels, rows):
        """Vectors and registers; the initial values are taken out of the reduction at the very end, since a reduction
        that was taken apart is no longer one for the other steps."""
        schedule = self.schedule
        self.vectorize(schedule.get_loops(last)[-1])
        self.vectorize(inner_channels)
        if row is not None:
            schedule.unroll(row)
        start = schedule.decompose_reduction(block, first_reduction)
        self.vectorize(schedule.get_loops(start)[-1])
        if row is not None:
            for each in (start, last):
                loop = schedule.get_loops(each)[-2]
                if self.extent(loop) <= rows:
                    schedule.unroll(loop)

    def apply(self, rows):
        reductions = [i for i, block in enumerate(self.blocks) if self.reduces(block)]
        if not reductions:
            for block in self.blocks[:-1]:
                self.schedule.compute_inline(block)
            self.elementwise(self.blocks[-1])
            return True
        at = reductions[0]
        block, convolution = self.blocks[at], "conv2d_nhwc" in self.name(self.blocks[at])
        if len(reductions) > 1 or not (convolution or self.name(block).startswith(PRODUCTS)):
            return False
        pads = self.inline_before(self.blocks[:at])
        following = self.blocks[at + 1 :]
        for each in following[:-1]:
            self.schedule.compute_inline(each)
        self.tile(block, following, rows, convolution)
        for pad in pads:
            self.elementwise(pad)
        return True


def apply(module, rows):
    """Schedules every function of the module that a rule fits. Returns how many were and how many were not."""
    scheduled = left = 0
    for variable, function in list(module.functions.items()):
        if not isinstance(function, tirx.PrimFunc):
            continue
        try:
            made = Function(function)
            fits = made.apply(rows)
        except (tvm.error.InternalError, s_tir.ScheduleError, ValueError, RuntimeError):
            fits = False
        if not fits:
            left += 1
            continue
        changed = made.schedule.mod["main"].with_attr("tirx.is_scheduled", True)
        if function.attrs and "global_symbol" in function.attrs:
            changed = changed.with_attr("global_symbol", function.attrs["global_symbol"])
        module.update_func(variable, changed)
        scheduled += 1
    return scheduled, left
