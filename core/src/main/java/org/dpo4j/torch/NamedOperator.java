package org.dpo4j.torch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.OperatorHandleOptional;
import org.bytedeco.pytorch.OperatorName;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** An operator of libtorch that has no Java method, found by its name in the dispatcher. */
final class NamedOperator {

  private final OperatorHandle handle;

  private NamedOperator(OperatorHandle handle) {
    this.handle = handle;
  }

  /**
   * Finds an operator.
   *
   * @param name with its namespace, as in {@code aten::mm}
   * @param overload empty for the one without a name
   * @return null where this libtorch has none
   */
  static @Nullable NamedOperator find(String name, String overload) {
    Engine.start();
    try (PointerScope scope = new PointerScope()) {
      OperatorHandleOptional found =
          Dispatcher.singleton().findSchema(new OperatorName(name, overload));
      return found.has_value() ? new NamedOperator(forever(new OperatorHandle(found.get()))) : null;
    }
  }

  /**
   * {@link #find} for an operator that every libtorch has.
   *
   * @throws IllegalStateException if this one has not
   */
  static NamedOperator get(String name, String overload) {
    NamedOperator found = find(name, overload);
    if (found == null) {
      throw new IllegalStateException("libtorch has no operator " + name + "." + overload);
    }
    return found;
  }

  /**
   * Calls an operator with one result, a tensor.
   *
   * @param arguments all of them, in their order; tensors among them are closed
   */
  Tensor call(IValue... arguments) {
    try (IValueVector stack = stack(arguments)) {
      handle.callBoxed(stack);
      return new Tensor(stack.get(0).toTensor()); // the stack's own dies with it
    }
  }

  /**
   * Calls an operator whose results, if any, nobody needs.
   *
   * @param arguments as for {@link #call}
   */
  void run(IValue... arguments) {
    try (IValueVector stack = stack(arguments)) {
      handle.callBoxed(stack);
    }
  }

  /** Holds the arguments, then the results. */
  private static IValueVector stack(IValue... arguments) {
    IValueVector stack = new IValueVector(arguments);
    // Closed here: until the scope ends they would hold what the caller may want to free.
    for (IValue argument : arguments) {
      if (argument.isTensor()) {
        argument.close();
      }
    }
    return stack;
  }

  /** Takes an object out of the scope that frees it. */
  static <P extends Pointer> P forever(P object) {
    object.retainReference();
    PointerScope inner = PointerScope.getInnerScope();
    if (inner != null) {
      inner.detach(object);
    }
    return object;
  }
}
