"""A reader of pickles that, unlike Python's own, never imports or calls what they name.

It executes the opcodes one by one on plain data and stand-ins, within a budget. Python's reader has
no such limit: a few bytes make it reserve gigabytes or run forever.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from realdeg.utils.budget import Budget

_PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_SCALARS = (str, int, float, bool, bytes, type(None))
# Larger integers are hashed by a remainder, so thousands could share a hash.
_LARGEST_KEY = 2**60
_LONGEST_KEY = 16


class ForeignName:
    """Stands for a class or function that the file names."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Inert:
    """Stands for an object of any class: stores what it was made from, and does nothing.

    Args:
        name: The class, with its module.
        args: The arguments of its constructor.
    """

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name, self.args = name, args
        self.state: Any = None

    def take(self, state: Any) -> None:
        """Store a state; for a class with slots, the dict comes first."""
        pair = isinstance(state, tuple) and len(state) == 2
        self.state = state[0] if pair and isinstance(state[0], dict) else state


class Maker:
    """One of our own functions that a pickle may call.

    Args:
        function: Must return nothing larger than its arguments.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class PickleReader:
    """Executes pickles.

    Args:
        find: Returns the stand-in for a name in a module.
        refer: Resolves a persistent id.
        budget: The steps that are left.
        strict: Refuse keys that no state dict has, instead of dropping them.
    """

    def __init__(
        self,
        find: Callable[[str, str], Any],
        refer: Callable[[Any], Any],
        budget: Budget,
        strict: bool = False,
    ) -> None:
        self._find, self._refer, self._budget, self._strict = find, refer, budget, strict
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._globals: dict[tuple[str, str], Any] = {}

    def read(self, stream: IO[bytes]) -> Any:
        """Read one pickle, and leave the stream behind its end.

        Args:
            stream: The bytes; its ``read`` must never reserve more than there are.

        Raises:
            ValueError: If it is damaged or exceeds the budget.
        """
        self._stack, self._marks, self._memo = [], [], {}
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                self._budget.spend()
                self._step(opcode.name, argument)
            return self._stack.pop()
        except IndexError as error:
            raise ValueError("a pickle pops more than it has pushed") from error
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"a damaged pickle ({type(error).__name__})") from error

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _PUSHED:
            stack.append(argument)
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self._memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in _TUPLES:
            self._tuple(_TUPLES[name])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name not in _NOTHING:
            method = getattr(self, f"_do_{name.lower()}", None)
            if method is None:
                raise ValueError(f"the opcode {name}, which no file of weights has")
            method(*(() if argument is None else (argument,)))

    def _marked(self) -> list[Any]:
        """Pop everything above the last mark."""
        at = self._marks.pop()
        items = self._stack[at:]
        del self._stack[at:]
        return items

    def _tuple(self, count: int) -> None:
        items = tuple(self._pop() for _ in range(count))
        self._stack.append(items[::-1])

    def _pop(self) -> Any:
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise ValueError("a pickle pops what is below a mark")
        return self._stack.pop()

    def _do_tuple(self) -> None:
        self._stack.append(tuple(self._marked()))

    def _do_list(self) -> None:
        self._stack.append(self._marked())

    def _do_dict(self) -> None:
        items = self._marked()
        self._stack.append({})
        self._set(items)

    def _do_frozenset(self) -> None:
        self._stack.append({item for item in self._marked() if self._fits(item)})

    def _do_append(self) -> None:
        self._extend([self._pop()])

    def _do_appends(self) -> None:
        self._extend(self._marked())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Inert):  # items of a list's subclass are dropped
            raise ValueError("items for something that is not a list")

    def _do_setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _do_setitems(self) -> None:
        self._set(self._marked())

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if self._fits(key):
                    target[key] = value
        elif not isinstance(target, Inert):  # items of a dict's subclass are dropped
            raise ValueError("items for something that is not a dict")

    def _do_additems(self) -> None:
        items, target = self._marked(), self._stack[-1]
        if not isinstance(target, set):
            raise ValueError("items for something that is not a set")
        target.update(item for item in items if self._fits(item))

    def _fits(self, key: Any) -> bool:
        """Return whether a key can be hashed in a few steps."""
        parts = key if isinstance(key, tuple) and len(key) <= _LONGEST_KEY else (key,)
        if all(type(part) in _SCALARS for part in parts) and not any(
            isinstance(part, int) and abs(part) > _LARGEST_KEY for part in parts
        ):
            return True
        if self._strict:
            raise ValueError("a key that is neither a name nor a number")
        return False

    def _do_pop(self) -> None:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self._stack.pop()

    def _do_pop_mark(self) -> None:
        self._marked()

    def _do_dup(self) -> None:
        self._stack.append(self._stack[-1])

    def _do_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._global(module, name))

    def _do_stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("a class whose name is not a string")
        self._stack.append(self._global(module, name))

    def _global(self, module: str, name: str) -> Any:
        if (module, name) not in self._globals:
            self._globals[module, name] = self._find(module, name)
        return self._globals[module, name]

    def _do_reduce(self) -> None:
        args, function = self._pop(), self._pop()
        self._call(function, args)

    def _do_newobj(self) -> None:
        self._do_reduce()

    def _do_newobj_ex(self) -> None:
        self._pop()  # named arguments
        self._do_reduce()

    def _do_inst(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._call(self._global(module, name), tuple(self._marked()))

    def _do_obj(self) -> None:
        function, *args = self._marked()
        self._call(function, tuple(args))

    def _call(self, function: Any, args: Any) -> None:
        if not isinstance(args, tuple):
            raise ValueError("a call without arguments")
        if isinstance(function, ForeignName):
            self._stack.append(Inert(function.name, args))
            return
        if not isinstance(function, Maker):
            raise ValueError("a call of something that is not a function")
        self._budget.spend(sum(len(each) for each in args if hasattr(each, "__len__")))
        self._stack.append(function.function(*args))

    def _do_build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, Inert):
            target.take(state)
        elif isinstance(target, Maker | ForeignName):
            raise ValueError("a function is given a state")

    def _do_persid(self, argument: str) -> None:
        self._stack.append(self._refer(argument))

    def _do_binpersid(self) -> None:
        self._stack.append(self._refer(self._pop()))
