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

/** An operator of libtorch for which the binding has no method, called by name. */
final class NamedOperator {

  private final OperatorHandle handle;

  private NamedOperator(OperatorHandle handle) {
    this.handle = handle;
  }

  /**
   * Finds an operator.
   *
   * @param name with its namespace, as in {@code aten::mm}
   * @param overload name of the overload; may be empty
   * @return null if this build of libtorch has no such operator
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
   * As {@link #find}, for an operator that every build has.
   *
   * @throws IllegalStateException if it is missing
   */
  static NamedOperator get(String name, String overload) {
    NamedOperator found = find(name, overload);
    if (found == null) {
      throw new IllegalStateException("libtorch has no operator " + name + "." + overload);
    }
    return found;
  }

  /**
   * Calls an operator whose result is one tensor.
   *
   * @param arguments all of them, in order; those that hold tensors are closed
   */
  Tensor call(IValue... arguments) {
    try (IValueVector stack = stack(arguments)) {
      handle.callBoxed(stack);
      return new Tensor(stack.get(0).toTensor()); // outlives the stack
    }
  }

  /**
   * Calls an operator and ignores its results.
   *
   * @param arguments as for {@link #call}
   */
  void run(IValue... arguments) {
    try (IValueVector stack = stack(arguments)) {
      handle.callBoxed(stack);
    }
  }

  /** The operator's stack: it receives the arguments and returns the results. */
  private static IValueVector stack(IValue... arguments) {
    IValueVector stack = new IValueVector(arguments);
    // Closed now: until the scope ends they would keep alive what the caller may free.
    for (IValue argument : arguments) {
      if (argument.isTensor()) {
        argument.close();
      }
    }
    return stack;
  }

  /** Removes an object from its scope, so that it is never freed. */
  static <P extends Pointer> P forever(P object) {
    object.retainReference();
    PointerScope inner = PointerScope.getInnerScope();
    if (inner != null) {
      inner.detach(object);
    }
    return object;
  }
}
